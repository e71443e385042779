// PSNR and SSIM of a colour clip of 16 frames, 224 x 224. One thread.
#include <vector>

#include "bench/bench.h"
#include "io/quality.h"

namespace framefold::bench {
namespace {

void quality(benchmark::State& state) {
  const Shape shape{16, 224, 224, 3};
  std::vector<std::uint8_t> original(static_cast<std::size_t>(shape.size()));
  std::vector<float> made(original.size());
  for (std::size_t i = 0; i < made.size(); ++i) {
    original[i] = static_cast<std::uint8_t>(i * 37 % 251);
    made[i] = static_cast<float>(i * 11 % 255) / 255;
  }
  run(state, {}, [&] {
    benchmark::DoNotOptimize(
        frame_quality({original.data(), DType::u8, shape}, {made.data(), DType::f32, shape}));
  });
}

const bool added = [] {
  add("quality/16x224x224", quality);
  return true;
}();

}  // namespace
}  // namespace framefold::bench

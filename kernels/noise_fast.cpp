#include "kernels/noise.h"
#include "kernels/pointwise.h"

namespace framefold {
namespace {

FRAMEFOLD_SIMD void add_noise(Index count, Noise noise, float* y, const float* x,
                              const float* normals) {
  each(count, [=](Index i) {
    const float noisy = x[i] + noise.amount * normals[i];
    y[i] = noisy < noise.low ? noise.low : (noisy > noise.high ? noise.high : noisy);
  });
}

}  // namespace

bool fast::noise_forward(const Stream& stream, Noise noise, Random random, Tensor y, View x) {
  if (!stream.wants(Path::native) || x.dtype != DType::f32) return false;
  parallel_chunks(
      stream, x.size(), random_chunk,
      [&, to = y.as<float>(), from = x.as<float>()](Index chunk, Index at, Index count) {
        std::array<float, random_chunk> normals;
        random_normals(random, static_cast<std::uint64_t>(chunk), normals);
        add_noise(count, noise, to + at, from + at, normals.data());
      });
  return true;
}

}  // namespace framefold

#include "kernels/dropout.h"
#include "kernels/pointwise.h"

namespace framefold {
namespace {

FRAMEFOLD_SIMD void mask(Index count, float rate, float scale, float* y, const float* x,
                         const std::uint32_t* words) {
  each(count, [=](Index i) { y[i] = Random::to_uniform(words[i]) >= rate ? scale * x[i] : 0.0F; });
}

}  // namespace

bool fast::dropout(const Stream& stream, float rate, Index each, Random random, Tensor y, View x) {
  if (!stream.wants(Path::native) || x.dtype != DType::f32 || each != 1) return false;
  parallel_chunks(
      stream, x.size(), random_chunk,
      [&, to = y.as<float>(), from = x.as<float>()](Index chunk, Index at, Index count) {
        std::array<std::uint32_t, random_chunk> words;
        random_words(random, static_cast<std::uint64_t>(chunk), words);
        mask(count, rate, 1 / (1 - rate), to + at, from + at, words.data());
      });
  return true;
}

}  // namespace framefold

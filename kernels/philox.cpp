#include "kernels/philox.h"

#include "kernels/pointwise.h"

namespace framefold {
namespace {

FRAMEFOLD_SIMD void draw(const Random& random, std::uint64_t first, Index blocks,
                         std::uint32_t* words) {
  each(blocks, [=, own = random](Index i) {
    const PhiloxBlock block = own.block(first + static_cast<std::uint64_t>(i));
    for (int k = 0; k < 4; ++k) words[4 * i + k] = block[static_cast<std::size_t>(k)];
  });
}

FRAMEFOLD_SIMD void box_muller(Index count, float* z, const std::uint32_t* words) {
  each(count, [=](Index i) {
    const float u = 1.0F - Random::to_uniform(words[2 * i]);
    z[i] = std::sqrt(-2.0F * simd::log(u)) * simd::cos_turns(Random::to_uniform(words[2 * i + 1]));
  });
}

}  // namespace

void random_words(const Random& random, std::uint64_t chunk,
                  std::array<std::uint32_t, random_chunk>& words) {
  draw(random, chunk * (random_chunk / 4), random_chunk / 4, words.data());
}

void random_normals(const Random& random, std::uint64_t chunk,
                    std::array<float, random_chunk>& normals) {
  std::array<std::uint32_t, 2 * random_chunk> words;
  draw(random, chunk * (random_chunk / 2), random_chunk / 2, words.data());
  box_muller(random_chunk, normals.data(), words.data());
}

}  // namespace framefold

// Philox4x32-10 (Salmon, Moraes, Dror, Shaw 2011): random numbers as a pure function of
// (seed, counter), so that masks, noise and order depend on neither threads nor devices.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>

namespace framefold {

using PhiloxBlock = std::array<std::uint32_t, 4>;

constexpr PhiloxBlock philox4x32(PhiloxBlock counter, std::uint32_t key0, std::uint32_t key1) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = std::uint64_t{0xD2511F53U} * counter[0];
    const std::uint64_t p1 = std::uint64_t{0xCD9E8D57U} * counter[2];
    counter = {
        static_cast<std::uint32_t>(p1 >> 32) ^ counter[1] ^ key0, static_cast<std::uint32_t>(p1),
        static_cast<std::uint32_t>(p0 >> 32) ^ counter[3] ^ key1, static_cast<std::uint32_t>(p0)};
    key0 += 0x9E3779B9U;
    key1 += 0xBB67AE85U;
  }
  return counter;
}

// A stream of blocks: block i of stream s under a seed. Distinct streams never overlap.
struct Random {
  std::uint64_t seed = 0;
  std::uint64_t stream = 0;
  // On a device, whose launches are recorded once and replayed: where the two stand at each run.
  const Random* now = nullptr;

  constexpr Random here() const { return now ? Random{now->seed, now->stream} : *this; }
  constexpr PhiloxBlock block(std::uint64_t index) const {
    return philox4x32(
        {static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32),
         static_cast<std::uint32_t>(stream), static_cast<std::uint32_t>(stream >> 32)},
        static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32));
  }
  constexpr std::uint32_t word(std::uint64_t index) const { return block(index / 4)[index % 4]; }

  // Uniform in [0, 1), 24 bits: exact in f32.
  constexpr float uniform(std::uint64_t index) const { return to_uniform(word(index)); }
  static constexpr float to_uniform(std::uint32_t word) {
    return static_cast<float>(word >> 8) * 0x1p-24F;
  }

  // Standard normal by Box and Muller's transform of words 2i and 2i + 1.
  float normal(std::uint64_t index) const {
    const float radius = std::sqrt(-2.0F * std::log(1.0F - uniform(2 * index)));
    return radius * std::cos(6.28318530717958648F * uniform(2 * index + 1));
  }

  // Uniform in [0, bound) without modulo bias worth naming (bound well below 2^32).
  constexpr std::uint32_t below(std::uint64_t index, std::uint32_t bound) const {
    return static_cast<std::uint32_t>((std::uint64_t{word(index)} * bound) >> 32);
  }
};

// A chunk of a stream at once, in vectors: element i is word(random_chunk * chunk + i), or
// normal(...) of the same to 1e-6.
inline constexpr std::uint64_t random_chunk = 256;
void random_words(const Random& random, std::uint64_t chunk,
                  std::array<std::uint32_t, random_chunk>& words);
void random_normals(const Random& random, std::uint64_t chunk,
                    std::array<float, random_chunk>& normals);

// Mixes small numbers (epoch, sample, operation) into one stream identifier.
constexpr std::uint64_t stream_of(std::uint64_t a, std::uint64_t b = 0, std::uint64_t c = 0) {
  const auto mix = [](std::uint64_t x) {  // SplitMix64's finaliser
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9U;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBU;
    return x ^ (x >> 31);
  };
  return mix(mix(mix(a + 0x9E3779B97F4A7C15U) ^ b) + c);
}

}  // namespace framefold

// The loops over lines that a Resizer is made of. All of them are exact in 32 bits: a plane's
// samples have 8, weights 12 for each axis, so lines are in 2^24ths of a level; vectors only change
// the time they take.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "kernels/tensor.h"

namespace framefold::lines {

inline constexpr int weight_bits = 12, fraction_bits = 6, colour_bits = 14;

// Lines of `count` pixels have room for this many, and sums for `spare` more than their count.
constexpr Index padded(Index count) { return (count + 15) / 16 * 16; }
inline constexpr Index spare = 32;

// sums[x] = sum over k of weights[k] * row[k * stride + x], and `count` of them; the weights make
// 4096 together.
void sum_rows(std::uint32_t* sums, const std::uint8_t* row, Index stride,
              const std::uint32_t* weights, Index taps, Index count);

// What each pixel of a line takes of the sources: `taps` weights from source `first` on.
struct Picks {
  Picks() = default;
  Picks(std::vector<std::int32_t> first, std::vector<std::uint32_t> weights, Index taps);

  Index taps = 0, count = 0, sources = 0;
  std::vector<std::int32_t> first;     // [count]
  std::vector<std::uint32_t> weights;  // [count, taps]
  // Where 16 neighbours lie in 32 sources and the processor has AVX-512: the groups' first source,
  // places from there and weights by tap, [taps, padded(count)]; else empty.
  std::vector<std::int32_t> starts;
  std::vector<std::uint32_t> places, by_tap;
  bool nearer = false;  // in 16 sources
};

// lines[i][x] = sum over k of weights[x, k] * sources[i][first[x] + k]: sums, or a plane's samples.
// `pairs` has room for picks.sources.
void pick(const Picks& picks, std::array<std::uint32_t*, 2> lines,
          std::array<const std::uint32_t*, 2> sources, std::uint64_t* pairs);
void pick(const Picks& picks, std::array<std::uint32_t*, 2> lines,
          std::array<const std::uint8_t*, 2> sources, std::uint64_t* pairs);

// line[x] = weights[0] * above[x] + weights[1] * below[x]
void blend(std::uint32_t* line, const std::uint32_t* above, const std::uint32_t* below,
           const std::uint32_t* weights, Index count);

// What makes RGB of YUV in 64ths: factors in 16384ths, the rounding is in the constants.
struct Colours {
  std::int32_t luma = 0, crv = 0, cbu = 0, cgu = 0, cgv = 0;
  std::int32_t grey = 0, red = 0, green = 0, blue = 0;  // constants
};
// `black` is luma's level 0, factors in 16384ths; those of chroma as libav gives them: crv, cbu,
// cgu, cgv.
Colours colours(std::int32_t black, std::int32_t luma, std::array<std::int32_t, 4> chroma);
void to_grey(std::uint8_t* out, const std::uint32_t* y, const Colours& colours, Index count);
void to_rgb(std::uint8_t* out, const std::uint32_t* y, const std::uint32_t* u,
            const std::uint32_t* v, const Colours& colours, Index count);

}  // namespace framefold::lines

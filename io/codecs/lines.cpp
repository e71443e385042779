#include "io/codecs/lines.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "kernels/simd.h"

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define FRAMEFOLD_LINES_AVX512 1
// GCC 12 warns of what its own header leaves undefined on purpose.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop
#endif

namespace framefold::lines {
namespace {

constexpr int line_shift = 2 * weight_bits - fraction_bits;
constexpr int colour_shift = fraction_bits + colour_bits;

// sums[x] (=, or += where `more`) one * row[x] + other * below[x]
FRAMEFOLD_SIMD void add_rows(std::uint32_t* sums, const std::uint8_t* row, std::uint32_t one,
                             const std::uint8_t* below, std::uint32_t other, Index count,
                             bool more) {
  if (more)
    for (Index x = 0; x < count; ++x) sums[x] += one * row[x] + other * below[x];
  else
    for (Index x = 0; x < count; ++x) sums[x] = one * row[x] + other * below[x];
}

FRAMEFOLD_SIMD void pair(std::uint64_t* pairs, const std::uint32_t* one, const std::uint32_t* other,
                         Index count) {
  for (Index x = 0; x < count; ++x) pairs[x] = one[x] | std::uint64_t{other[x]} << 32;
}
FRAMEFOLD_SIMD void pair(std::uint64_t* pairs, const std::uint8_t* one, const std::uint8_t* other,
                         Index count) {
  for (Index x = 0; x < count; ++x) pairs[x] = one[x] | std::uint64_t{other[x]} << 32;
}

// Neither half's sum passes 32 bits. Two lines at once in plain registers: gathers take longer.
template <int known_taps>
void pick_pairs(std::uint32_t* one, std::uint32_t* other, const std::uint64_t* pairs,
                const Picks& picks) {
  const Index taps = known_taps > 0 ? known_taps : picks.taps;
  const std::uint32_t* weights = picks.weights.data();
  for (Index x = 0; x < picks.count; ++x, weights += taps) {
    const std::uint64_t* from = pairs + picks.first[static_cast<std::size_t>(x)];
    std::uint64_t sum = 0;
    for (Index k = 0; k < taps; ++k) sum += weights[k] * from[k];
    one[x] = static_cast<std::uint32_t>(sum);
    other[x] = static_cast<std::uint32_t>(sum >> 32);
  }
}

FRAMEFOLD_INLINE std::int32_t to_64ths(std::uint32_t value) {
  return static_cast<std::int32_t>((value + (1U << (line_shift - 1))) >> line_shift);
}

FRAMEFOLD_INLINE std::uint32_t clamped(std::int32_t value) {
  value >>= colour_shift;
  return static_cast<std::uint32_t>(value < 0 ? 0 : (value > 255 ? 255 : value));
}

// Red, green and blue in a word each.
FRAMEFOLD_SIMD void to_words(std::uint32_t* words, const std::uint32_t* y, const std::uint32_t* u,
                             const std::uint32_t* v, const Colours& colours, Index count) {
  const Colours c = colours;
  for (Index x = 0; x < count; ++x) {
    const std::int32_t light = to_64ths(y[x]) * c.luma, cb = to_64ths(u[x]), cr = to_64ths(v[x]);
    words[x] = clamped(light + cr * c.crv + c.red) |
               clamped(light - cb * c.cgu - cr * c.cgv + c.green) << 8 |
               clamped(light + cb * c.cbu + c.blue) << 16;
  }
}

void to_rgb_plain(std::uint8_t* out, const std::uint32_t* y, const std::uint32_t* u,
                  const std::uint32_t* v, const Colours& colours, Index count) {
  constexpr Index most = 256;
  std::array<std::uint32_t, most> words;
  for (Index x = 0; x < count; x += most, out += 3 * most) {
    const Index here = std::min(most, count - x);
    to_words(words.data(), y + x, u + x, v + x, colours, here);
    for (Index i = 0; i + 1 < here; ++i)  // the fourth byte is the next pixel's first
      std::memcpy(out + 3 * i, &words[static_cast<std::size_t>(i)], 4);
    std::memcpy(out + 3 * (here - 1), &words[static_cast<std::size_t>(here - 1)], 3);
  }
}

#ifdef FRAMEFOLD_LINES_AVX512
#define FRAMEFOLD_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl")))

bool has_avx512() {
  static const bool has = __builtin_cpu_supports("avx512f") != 0 &&
                          __builtin_cpu_supports("avx512bw") != 0 &&
                          __builtin_cpu_supports("avx512vl") != 0;
  return has;
}

using Unsigned [[gnu::vector_size(64)]] = std::uint32_t;
using Signed [[gnu::vector_size(64)]] = std::int32_t;

template <class Vector>
FRAMEFOLD_AVX512 FRAMEFOLD_INLINE void load(Vector& vector, const void* from) {
  std::memcpy(&vector, from, sizeof vector);
}

// Sixteen samples, of which the first `count` are read.
FRAMEFOLD_AVX512 FRAMEFOLD_INLINE void load(Unsigned& samples, const std::uint8_t* from,
                                            Index count) {
  const auto mask =
      static_cast<__mmask16>(count < 16 ? (1U << std::max<Index>(count, 0)) - 1 : ~0U);
  samples = reinterpret_cast<Unsigned>(_mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(mask, from)));
}
FRAMEFOLD_AVX512 FRAMEFOLD_INLINE void load(Unsigned& sums, const std::uint32_t* from, Index) {
  load(sums, from);
}

template <int known_taps>
FRAMEFOLD_AVX512 void sum_rows_avx512(std::uint32_t* sums, const std::uint8_t* row, Index stride,
                                      const std::uint32_t* weights, Index taps, Index count) {
  if (known_taps > 0) taps = known_taps;
  for (Index x = 0; x < count; x += 16) {
    Unsigned sum{}, samples;
    for (Index k = 0; k < taps; ++k) {
      load(samples, row + k * stride + x, count - x);
      sum += weights[k] * samples;
    }
    std::memcpy(sums + x, &sum, sizeof sum);
  }
}

// Sixteen pixels at once out of one or two registers of sources, permuted for each tap.
template <int known_taps, bool nearer, class Source>
FRAMEFOLD_AVX512 void pick_near(const Picks& picks, std::array<std::uint32_t*, 2> lines,
                                std::array<const Source*, 2> sources) {
  const Index taps = known_taps > 0 ? known_taps : picks.taps, width = padded(picks.count);
  for (Index x = 0; x < width; x += 16) {
    const Index start = picks.starts[static_cast<std::size_t>(x / 16)];
    const Index left = picks.sources - start;
    Unsigned a, b{}, c, d{}, place, weight, one{}, other{};
    load(a, sources[0] + start, left);
    load(c, sources[1] + start, left);
    if (!nearer) {
      load(b, sources[0] + start + 16, left - 16);
      load(d, sources[1] + start + 16, left - 16);
    }
    load(place, picks.places.data() + x);
    const std::uint32_t* weights = picks.by_tap.data() + x;
    for (Index k = 0; k < taps; ++k, weights += width, place += 1) {
      load(weight, weights);
      one += weight * (nearer ? __builtin_shuffle(a, place) : __builtin_shuffle(a, b, place));
      other += weight * (nearer ? __builtin_shuffle(c, place) : __builtin_shuffle(c, d, place));
    }
    std::memcpy(lines[0] + x, &one, sizeof one);
    std::memcpy(lines[1] + x, &other, sizeof other);
  }
}

FRAMEFOLD_AVX512 FRAMEFOLD_INLINE void load_64ths(Signed& values, const std::uint32_t* line) {
  Unsigned exact;
  load(exact, line);
  values = reinterpret_cast<Signed>((exact + (1U << (line_shift - 1))) >> line_shift);
}

// Sixteen pixels at once, packed by saturation. Reads padded lines.
FRAMEFOLD_AVX512 void to_rgb_avx512(std::uint8_t* out, const std::uint32_t* y,
                                    const std::uint32_t* u, const std::uint32_t* v,
                                    const Colours& colours, Index count) {
  const Colours c = colours;
  // A lane holds four pixels' red, then green, then blue: side by side, then lanes side by side.
  const __m512i in_lane =
      _mm512_broadcast_i32x4(_mm_setr_epi8(0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11, -1, -1, -1, -1));
  const __m512i together = _mm512_setr_epi32(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 3, 7, 11, 15);
  for (Index x = 0; x < count; x += 16, out += 48) {
    Signed light, cb, cr;
    load_64ths(light, y + x);
    load_64ths(cb, u + x);
    load_64ths(cr, v + x);
    light *= c.luma;
    const auto r = reinterpret_cast<__m512i>((light + cr * c.crv + c.red) >> colour_shift),
               g = reinterpret_cast<__m512i>((light - cb * c.cgu - cr * c.cgv + c.green) >>
                                             colour_shift),
               b = reinterpret_cast<__m512i>((light + cb * c.cbu + c.blue) >> colour_shift);
    const __m512i bytes = _mm512_packus_epi16(_mm512_packs_epi32(r, g), _mm512_packs_epi32(b, b));
    const __m512i pixels = _mm512_permutexvar_epi32(together, _mm512_shuffle_epi8(bytes, in_lane));
    __builtin_prefetch(out + 2048, 1);
    if (count - x >= 16)
      std::memcpy(out, &pixels, 48);
    else
      std::memcpy(out, &pixels, static_cast<std::size_t>(3 * (count - x)));
  }
}
#endif

template <class Source>
void pick_from(const Picks& picks, std::array<std::uint32_t*, 2> lines,
               std::array<const Source*, 2> sources, std::uint64_t* pairs) {
#ifdef FRAMEFOLD_LINES_AVX512
  if (!picks.starts.empty()) {
    const auto run = picks.taps == 2
                         ? picks.nearer ? pick_near<2, true, Source> : pick_near<2, false, Source>
                     : picks.taps == 3 ? pick_near<3, false, Source>
                                       : pick_near<0, false, Source>;
    return run(picks, lines, sources);
  }
#endif
  pair(pairs, sources[0], sources[1], picks.sources);
  const auto run = picks.taps == 2   ? pick_pairs<2>
                   : picks.taps == 3 ? pick_pairs<3>
                                     : pick_pairs<0>;
  run(lines[0], lines[1], pairs, picks);
}

}  // namespace

void sum_rows(std::uint32_t* sums, const std::uint8_t* row, Index stride,
              const std::uint32_t* weights, Index taps, Index count) {
  while (taps > 1 && weights[taps - 1] == 0) --taps;
#ifdef FRAMEFOLD_LINES_AVX512
  if (has_avx512()) {
    const auto run = taps == 2   ? sum_rows_avx512<2>
                     : taps == 3 ? sum_rows_avx512<3>
                                 : sum_rows_avx512<0>;
    return run(sums, row, stride, weights, taps, count);
  }
#endif
  for (Index k = 0; k < taps; k += 2) {
    const Index below = std::min(k + 1, taps - 1);
    add_rows(sums, row + k * stride, weights[k], row + below * stride,
             below > k ? weights[below] : 0, count, k > 0);
  }
}

Picks::Picks(std::vector<std::int32_t> begins, std::vector<std::uint32_t> given, Index known_taps)
    : taps(known_taps),
      count(static_cast<Index>(begins.size())),
      sources(*std::ranges::max_element(begins) + known_taps),
      first(std::move(begins)),
      weights(std::move(given)) {
#ifdef FRAMEFOLD_LINES_AVX512
  const auto start = [&](Index x) { return first[static_cast<std::size_t>(x / 16 * 16)]; };
  Index most = 0;
  for (Index x = 0; x < count; ++x)
    most = std::max(most, first[static_cast<std::size_t>(x)] + taps - start(x));
  if (!has_avx512() || most > spare) return;
  nearer = most <= 16;
  const Index width = padded(count);
  places.resize(static_cast<std::size_t>(width));
  by_tap.resize(static_cast<std::size_t>(width * taps));
  for (Index x = 0; x < count; ++x) {
    if (x % 16 == 0) starts.push_back(start(x));
    places[static_cast<std::size_t>(x)] =
        static_cast<std::uint32_t>(first[static_cast<std::size_t>(x)] - start(x));
    for (Index k = 0; k < taps; ++k)
      by_tap[static_cast<std::size_t>(k * width + x)] =
          weights[static_cast<std::size_t>(x * taps + k)];
  }
#endif
}

void pick(const Picks& picks, std::array<std::uint32_t*, 2> lines,
          std::array<const std::uint32_t*, 2> sources, std::uint64_t* pairs) {
  pick_from(picks, lines, sources, pairs);
}
void pick(const Picks& picks, std::array<std::uint32_t*, 2> lines,
          std::array<const std::uint8_t*, 2> sources, std::uint64_t* pairs) {
  pick_from(picks, lines, sources, pairs);
}

FRAMEFOLD_SIMD void blend(std::uint32_t* line, const std::uint32_t* above,
                          const std::uint32_t* below, const std::uint32_t* weights, Index count) {
  const std::uint32_t one = weights[0], other = weights[1];
  for (Index x = 0; x < count; ++x) line[x] = one * above[x] + other * below[x];
}

Colours colours(std::int32_t black, std::int32_t luma, std::array<std::int32_t, 4> chroma) {
  constexpr std::int32_t half = 1 << (colour_shift - 1), middle = 128 << fraction_bits;
  const auto [crv, cbu, cgu, cgv] = chroma;
  const std::int32_t grey = half - (black << fraction_bits) * luma;
  return {.luma = luma,
          .crv = crv,
          .cbu = cbu,
          .cgu = cgu,
          .cgv = cgv,
          .grey = grey,
          .red = grey - middle * crv,
          .green = grey + middle * (cgu + cgv),
          .blue = grey - middle * cbu};
}

FRAMEFOLD_SIMD void to_grey(std::uint8_t* out, const std::uint32_t* y, const Colours& colours,
                            Index count) {
  const std::int32_t luma = colours.luma, grey = colours.grey;
  for (Index x = 0; x < count; ++x)
    out[x] = static_cast<std::uint8_t>(clamped(to_64ths(y[x]) * luma + grey));
}

void to_rgb(std::uint8_t* out, const std::uint32_t* y, const std::uint32_t* u,
            const std::uint32_t* v, const Colours& colours, Index count) {
#ifdef FRAMEFOLD_LINES_AVX512
  if (has_avx512()) return to_rgb_avx512(out, y, u, v, colours, count);
#endif
  to_rgb_plain(out, y, u, v, colours, count);
}

}  // namespace framefold::lines

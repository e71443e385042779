#include "io/codecs/resizer.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/simd.h"

namespace framefold {
namespace {

constexpr int weight_bits = 12, fraction_bits = 6, colour_bits = 14;

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

std::int32_t to_64ths(std::uint32_t sum) {
  constexpr int shift = 2 * weight_bits - fraction_bits;
  return static_cast<std::int32_t>((sum + (1U << (shift - 1))) >> shift);
}

// one[x] and other[x] = sum over k of weights[x, k] * both halves of pairs[first[x] + k]. Neither
// half's sum passes 32 bits. Two lines at once in plain registers: gathers take longer.
template <int known_taps>
void pick(std::int32_t* one, std::int32_t* other, const std::uint64_t* pairs,
          const std::int32_t* first, const std::uint32_t* weights, Index taps, Index count) {
  if constexpr (known_taps > 0) taps = known_taps;
  for (Index x = 0; x < count; ++x, weights += taps) {
    const std::uint64_t* from = pairs + first[x];
    std::uint64_t sum = 0;
    for (Index k = 0; k < taps; ++k) sum += weights[k] * from[k];
    one[x] = to_64ths(static_cast<std::uint32_t>(sum));
    other[x] = to_64ths(static_cast<std::uint32_t>(sum >> 32));
  }
}

// Pixels that pick_near() makes at once, and of how many sources.
constexpr Index near_pixels = 16, near_sources = 32;

constexpr Index near_padded(Index count) {
  return (count + near_pixels - 1) / near_pixels * near_pixels;
}

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
bool has_permutations() {
  static const bool has = __builtin_cpu_supports("avx512f") != 0;
  return has;
}

// As pick(), of one line whose 16 neighbours lie in 32 sources: two registers, permuted for each
// tap. Reads 32 sources beyond the last pixel's first one, writes a multiple of 16 pixels.
__attribute__((target("avx512f"))) void pick_near(std::int32_t* out, const std::uint32_t* sums,
                                                  const std::int32_t* first,
                                                  const std::uint32_t* by_tap, Index taps,
                                                  Index count) {
  using Pixels [[gnu::vector_size(64)]] = std::uint32_t;
  const auto load = [&](const void* from) __attribute__((target("avx512f"), always_inline)) {
    Pixels pixels;
    std::memcpy(&pixels, from, sizeof pixels);
    return pixels;
  };
  const Index padded = near_padded(count);
  for (Index x = 0; x < padded; x += near_pixels) {
    const std::uint32_t* from = sums + first[x];
    const Pixels low = load(from), high = load(from + near_pixels);
    Pixels place = load(first + x) - static_cast<std::uint32_t>(first[x]), sum{};
    for (Index k = 0; k < taps; ++k, place += 1)
      sum += load(by_tap + k * padded + x) * __builtin_shuffle(low, high, place);
    constexpr int shift = 2 * weight_bits - fraction_bits;
    sum = (sum + (1U << (shift - 1))) >> shift;
    std::memcpy(out + x, &sum, sizeof sum);
  }
}
#else
bool has_permutations() { return false; }
void pick_near(std::int32_t*, const std::uint32_t*, const std::int32_t*, const std::uint32_t*,
               Index, Index) {}
#endif

FRAMEFOLD_INLINE std::uint8_t clamped(std::int32_t value) {
  constexpr int shift = fraction_bits + colour_bits;
  value = (value + (1 << (shift - 1))) >> shift;
  return static_cast<std::uint8_t>(value < 0 ? 0 : (value > 255 ? 255 : value));
}

FRAMEFOLD_SIMD void to_grey(std::uint8_t* out, const std::int32_t* y, const std::int32_t* colours,
                            Index count) {
  const std::int32_t offset = colours[0], factor = colours[1];
  for (Index x = 0; x < count; ++x) out[x] = clamped((y[x] - offset) * factor);
}

FRAMEFOLD_SIMD void to_rgb(std::uint8_t* out, const std::int32_t* y, const std::int32_t* u,
                           const std::int32_t* v, const std::int32_t* colours, Index count) {
  const std::int32_t offset = colours[0], factor = colours[1], crv = colours[2], cbu = colours[3],
                     cgu = colours[4], cgv = colours[5];
  constexpr std::int32_t middle = 128 << fraction_bits;
  for (Index x = 0; x < count; ++x) {
    const std::int32_t light = (y[x] - offset) * factor, cb = u[x] - middle, cr = v[x] - middle;
    out[3 * x] = clamped(light + cr * crv);
    out[3 * x + 1] = clamped(light - cb * cgu - cr * cgv);
    out[3 * x + 2] = clamped(light + cb * cbu);
  }
}

const AVPixFmtDescriptor* describe(const AVFrame& frame) {
  return av_pix_fmt_desc_get(static_cast<AVPixelFormat>(frame.format));
}

// How far a sample of chroma lies left of or above the middle of the luma it belongs to.
double chroma_shift(const AVFrame& frame, bool vertical) {
  switch (frame.chroma_location) {
    case AVCHROMA_LOC_CENTER: return 0;
    case AVCHROMA_LOC_TOPLEFT: return 0.5;
    case AVCHROMA_LOC_TOP: return vertical ? 0.5 : 0;
    default: return vertical ? 0 : 0.5;  // left, what the codecs use that do not say
  }
}

std::array<Index, 6> kind_of(const AVFrame& frame) {
  return {frame.height,     frame.width,       frame.format,
          frame.colorspace, frame.color_range, frame.chroma_location};
}

}  // namespace

bool Resizer::takes(const AVFrame& frame) {
  const AVPixFmtDescriptor* format = describe(frame);
  constexpr std::uint64_t other = AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL |
                                  AV_PIX_FMT_FLAG_BITSTREAM | AV_PIX_FMT_FLAG_HWACCEL |
                                  AV_PIX_FMT_FLAG_BAYER | AV_PIX_FMT_FLAG_ALPHA;
  if (format == nullptr || (format->flags & other) != 0) return false;
  if (format->nb_components != 1 && format->nb_components != 3) return false;
  for (int i = 0; i < format->nb_components; ++i)
    if (const AVComponentDescriptor& component = format->comp[i];
        component.depth != 8 || component.step != 1 || component.plane != i)
      return false;
  return frame.linesize[0] > 0;
}

Resizer::Resizer(const AVFrame& frame, const Part& part, const FrameFormat& format)
    : part_(part), format_(format), frame_(kind_of(frame)) {
  const AVPixFmtDescriptor& pixels = *describe(frame);
  const double height = static_cast<double>(part.height) / static_cast<double>(format.height);
  const double width = static_cast<double>(part.width) / static_cast<double>(format.width);
  const auto top = static_cast<double>(part.top), left = static_cast<double>(part.left);
  rows_[0] = axis(top, height, format.height, frame.height);
  columns_[0] = axis(left, width, format.width, frame.width);
  const int h = 1 << pixels.log2_chroma_h, w = 1 << pixels.log2_chroma_w;
  const double down = h > 1 ? chroma_shift(frame, true) : 0;
  const double right = w > 1 ? chroma_shift(frame, false) : 0;
  rows_[1] = axis((top + down) / h, height / h, format.height, (frame.height + h - 1) / h);
  columns_[1] = axis((left + right) / w, width / w, format.width, (frame.width + w - 1) / w);

  const bool full = frame.color_range == AVCOL_RANGE_JPEG || frame.format == AV_PIX_FMT_YUVJ420P ||
                    frame.format == AV_PIX_FMT_YUVJ422P || frame.format == AV_PIX_FMT_YUVJ444P ||
                    frame.format == AV_PIX_FMT_YUVJ440P || frame.format == AV_PIX_FMT_YUVJ411P ||
                    (pixels.nb_components == 1 && frame.color_range != AVCOL_RANGE_MPEG);
  const int* matrix = sws_getCoefficients(frame.colorspace);
  colours_[0] = full ? 0 : 16 << fraction_bits;
  colours_[1] =
      static_cast<std::int32_t>(std::lround((full ? 1.0 : 255.0 / 219) * (1 << colour_bits)));
  for (std::size_t i = 0; i < 4; ++i)  // for 224 levels, in 65536ths
    colours_[2 + i] = static_cast<std::int32_t>(
        std::lround(matrix[i] * (full ? 224.0 / 255 : 1.0) / (1 << (16 - colour_bits))));
  const auto longest = static_cast<std::size_t>(std::max(columns_[0].end, columns_[1].end));
  for (Axis& columns : columns_) columns.arrange();
  for (auto& sums : sums_) sums.resize(longest + static_cast<std::size_t>(near_sources));
  pairs_.resize(longest);
  const bool grey = pixels.nb_components == 1;
  for (std::size_t i = 0; i < lines_.size(); ++i)
    lines_[i].assign(static_cast<std::size_t>(near_padded(format.width)),
                     grey && i > 1 ? 128 << fraction_bits : 0);
}

bool Resizer::made_for(const AVFrame& frame, const Part& part, const FrameFormat& format) const {
  return part == part_ && format.height == format_.height && format.width == format_.width &&
         format.channels == format_.channels && kind_of(frame) == frame_;
}

// `count` pixels of `step` sources each, the first begins at `begin`; there are `length` sources.
Resizer::Axis Resizer::axis(double begin, double step, Index count, Index length) {
  Axis result;
  const auto most = std::min(length, static_cast<Index>(std::ceil(std::max(step, 1.0))) + 1);
  result.taps = most;
  result.begin = length;
  result.weights.resize(static_cast<std::size_t>(most * count));
  std::vector<double> parts(static_cast<std::size_t>(most));
  for (Index i = 0; i < count; ++i) {
    // The span a pixel covers; enlarged, one as wide as a source around its middle.
    const double middle = begin + (static_cast<double>(i) + 0.5) * step;
    const double low = middle - std::max(step, 1.0) / 2, high = middle + std::max(step, 1.0) / 2;
    const Index first = std::clamp(static_cast<Index>(std::floor(low)), Index{0}, length - most);
    std::ranges::fill(parts, 0.0);
    for (auto j = static_cast<Index>(std::floor(low)); static_cast<double>(j) < high; ++j) {
      const double overlap =
          std::min(high, static_cast<double>(j) + 1) - std::max(low, static_cast<double>(j));
      const Index tap = std::clamp(j, first, first + most - 1) - first;
      parts[static_cast<std::size_t>(tap)] += std::max(0.0, overlap) / std::max(step, 1.0);
    }
    double whole = 0;
    std::uint32_t given = 0;
    auto weight = result.weights.begin() + i * most;
    for (const double part : parts) {  // rounded so that all of them make 4096
      whole += part * (1 << weight_bits);
      *weight = static_cast<std::uint32_t>(std::lround(whole)) - given;
      given += *weight;
      if (&part != &parts.back()) ++weight;
    }
    result.first.push_back(static_cast<std::int32_t>(first));
    result.begin = std::min(result.begin, first);
    result.end = std::max(result.end, first + most);
  }
  return result;
}

void Resizer::Axis::arrange() {
  const auto count = static_cast<Index>(first.size());
  near = has_permutations();
  for (Index x = 0; x < count; ++x)
    near &= first[static_cast<std::size_t>(x)] + taps <=
            first[static_cast<std::size_t>(x / near_pixels * near_pixels)] + near_sources;
  if (!near) return;
  const Index padded = near_padded(count);
  first.resize(static_cast<std::size_t>(padded), first.back());
  by_tap.resize(static_cast<std::size_t>(padded * taps));
  for (Index x = 0; x < count; ++x)
    for (Index k = 0; k < taps; ++k)
      by_tap[static_cast<std::size_t>(k * padded + x)] =
          weights[static_cast<std::size_t>(x * taps + k)];
}

// What the picture's line y covers of the plane, over rows.
void Resizer::sum_rows(const AVFrame& frame, int plane, Index y,
                       std::vector<std::uint32_t>& sums) const {
  const Axis& rows = rows_[plane > 0 ? 1 : 0];
  const Axis& columns = columns_[plane > 0 ? 1 : 0];
  const std::uint32_t* weights = rows.weights.data() + y * rows.taps;
  const Index first = rows.first[static_cast<std::size_t>(y)];
  const auto source = [&](Index k) {
    return frame.data[plane] + (first + k) * frame.linesize[plane] + columns.begin;
  };
  Index taps = rows.taps;
  while (taps > 1 && weights[taps - 1] == 0) --taps;
  for (Index k = 0; k < taps; k += 2) {
    const Index below = std::min(k + 1, taps - 1);
    add_rows(sums.data() + columns.begin, source(k), weights[k], source(below),
             below > k ? weights[below] : 0, columns.end - columns.begin, k > 0);
  }
}

void Resizer::two_lines(const AVFrame& frame, std::array<int, 2> planes, std::array<Index, 2> y,
                        std::int32_t* one, std::int32_t* other) {
  const Axis& columns = columns_[planes[0] > 0 ? 1 : 0];
  for (std::size_t i = 0; i < 2; ++i) sum_rows(frame, planes[i], y[i], sums_[i]);
  if (columns.near) {
    for (const auto& [line, sums] : {std::pair(one, &sums_[0]), std::pair(other, &sums_[1])})
      pick_near(line, sums->data(), columns.first.data(), columns.by_tap.data(), columns.taps,
                format_.width);
    return;
  }
  pair(pairs_.data() + columns.begin, sums_[0].data() + columns.begin,
       sums_[1].data() + columns.begin, columns.end - columns.begin);
  const auto run = columns.taps == 2 ? pick<2> : columns.taps == 3 ? pick<3> : pick<0>;
  run(one, other, pairs_.data(), columns.first.data(), columns.weights.data(), columns.taps,
      format_.width);
}

void Resizer::run(const AVFrame& frame, std::uint8_t* pixels) {
  const bool rgb = format_.channels == 3;
  const bool coloured = rgb && describe(frame)->nb_components > 1;
  const auto line = [&](std::size_t i) { return lines_[i].data(); };
  for (Index y = 0; y < format_.height; ++y, pixels += format_.width * format_.channels) {
    const auto luma = static_cast<std::size_t>(y % 2);
    if (luma == 0)
      two_lines(frame, {0, 0}, {y, std::min(y + 1, format_.height - 1)}, line(0), line(1));
    if (coloured) two_lines(frame, {1, 2}, {y, y}, line(2), line(3));
    if (rgb)
      to_rgb(pixels, line(luma), line(2), line(3), colours_.data(), format_.width);
    else
      to_grey(pixels, line(luma), colours_.data(), format_.width);
  }
}

}  // namespace framefold

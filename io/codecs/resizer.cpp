#include "io/codecs/resizer.h"

#include <algorithm>
#include <cmath>

#include "kernels/simd.h"

namespace framefold {
namespace {

constexpr int weight_bits = 12, fraction_bits = 6, colour_bits = 14;

// sums[x] (=, or += where `more`) weight * source[x]
FRAMEFOLD_SIMD void add_row(std::uint32_t* sums, const std::uint8_t* source, std::uint32_t weight,
                            Index count, bool more) {
  if (more)
    for (Index x = 0; x < count; ++x) sums[x] += weight * source[x];
  else
    for (Index x = 0; x < count; ++x) sums[x] = weight * source[x];
}

// sums[x] (=, or += where `more`) weights[x] * source[first[x]]
FRAMEFOLD_SIMD void add_picked(std::uint32_t* sums, const std::uint32_t* source,
                               const std::int32_t* first, const std::uint32_t* weights, Index count,
                               bool more) {
  if (more)
    for (Index x = 0; x < count; ++x) sums[x] += weights[x] * source[first[x]];
  else
    for (Index x = 0; x < count; ++x) sums[x] = weights[x] * source[first[x]];
}

FRAMEFOLD_SIMD void to_64ths(std::int32_t* out, const std::uint32_t* sums, Index count) {
  constexpr int shift = 2 * weight_bits - fraction_bits;
  for (Index x = 0; x < count; ++x)
    out[x] = static_cast<std::int32_t>((sums[x] + (1U << (shift - 1))) >> shift);
}

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
  sums_.resize(static_cast<std::size_t>(std::max(columns_[0].end, columns_[1].end)));
  picked_.resize(static_cast<std::size_t>(format.width));
  const bool grey = pixels.nb_components == 1;
  for (std::size_t i = 0; i < 3; ++i)
    lines_[i].assign(static_cast<std::size_t>(format.width),
                     grey && i > 0 ? 128 << fraction_bits : 0);
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
    auto weight = result.weights.begin() + i;
    for (const double part : parts) {  // rounded so that all of them make 4096
      whole += part * (1 << weight_bits);
      *weight = static_cast<std::uint32_t>(std::lround(whole)) - given;
      given += *weight;
      if (&part != &parts.back()) weight += count;
    }
    result.first.push_back(static_cast<std::int32_t>(first));
    result.begin = std::min(result.begin, first);
    result.end = std::max(result.end, first + most);
  }
  return result;
}

// Line y of the picture from one plane, in 64ths.
void Resizer::line(const AVFrame& frame, int plane, Index y, std::int32_t* out) {
  const Axis& rows = rows_[plane > 0 ? 1 : 0];
  const Axis& columns = columns_[plane > 0 ? 1 : 0];
  const auto row = static_cast<std::size_t>(y);
  bool more = false;
  for (Index k = 0; k < rows.taps; ++k) {
    const std::uint32_t weight =
        rows.weights[static_cast<std::size_t>(k) * rows.first.size() + row];
    if (weight == 0) continue;
    const std::uint8_t* source =
        frame.data[plane] + (rows.first[row] + k) * frame.linesize[plane] + columns.begin;
    add_row(sums_.data() + columns.begin, source, weight, columns.end - columns.begin, more);
    more = true;
  }
  const auto count = static_cast<Index>(columns.first.size());
  for (Index k = 0; k < columns.taps; ++k)
    add_picked(picked_.data(), sums_.data() + k, columns.first.data(),
               columns.weights.data() + k * count, count, k > 0);
  to_64ths(out, picked_.data(), count);
}

void Resizer::run(const AVFrame& frame, std::uint8_t* pixels) {
  const bool rgb = format_.channels == 3;
  const int planes = rgb ? describe(frame)->nb_components : 1;
  for (Index y = 0; y < format_.height; ++y, pixels += format_.width * format_.channels) {
    for (int plane = 0; plane < planes; ++plane)
      line(frame, plane, y, lines_[static_cast<std::size_t>(plane)].data());
    if (rgb)
      to_rgb(pixels, lines_[0].data(), lines_[1].data(), lines_[2].data(), colours_.data(),
             format_.width);
    else
      to_grey(pixels, lines_[0].data(), colours_.data(), format_.width);
  }
}

}  // namespace framefold

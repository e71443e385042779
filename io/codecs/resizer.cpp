#include "io/codecs/resizer.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace framefold {
namespace {

using lines::colour_bits, lines::weight_bits;

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
  const auto factor = [&](int i) {  // of 65536ths for 224 levels
    return static_cast<std::int32_t>(
        std::lround(matrix[i] * (full ? 224.0 / 255 : 1.0) / (1 << (16 - colour_bits))));
  };
  const auto luma =
      static_cast<std::int32_t>(std::lround((full ? 1.0 : 255.0 / 219) * (1 << colour_bits)));
  colours_ = lines::colours(full ? 0 : 16, luma, {factor(0), factor(1), factor(2), factor(3)});
  const auto longest =
      static_cast<std::size_t>(std::max(columns_[0].picks.sources, columns_[1].picks.sources));
  for (auto& sums : sums_) sums.resize(longest + static_cast<std::size_t>(lines::spare));
  pairs_.resize(longest);
  const bool grey = pixels.nb_components == 1;
  const auto length = static_cast<std::size_t>(lines::padded(format.width));
  for (std::size_t i = 0; i < lines_.size(); ++i)
    lines_[i].assign(length, grey && i > 1 ? 128U << (2 * weight_bits) : 0);
  for (auto& plane : kept_)
    for (auto& row : plane) row.resize(length);
}

bool Resizer::made_for(const AVFrame& frame, const Part& part, const FrameFormat& format) const {
  return part == part_ && format.height == format_.height && format.width == format_.width &&
         format.channels == format_.channels && kind_of(frame) == frame_;
}

// `count` pixels of `step` sources each, the first begins at `begin`; there are `length` sources.
Resizer::Axis Resizer::axis(double begin, double step, Index count, Index length) {
  const auto most = std::min(length, static_cast<Index>(std::ceil(std::max(step, 1.0))) + 1);
  std::vector<std::int32_t> firsts;
  std::vector<std::uint32_t> weights(static_cast<std::size_t>(most * count));
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
    auto weight = weights.begin() + i * most;
    for (const double part : parts) {  // rounded so that all of them make 4096
      whole += part * (1 << weight_bits);
      *weight = static_cast<std::uint32_t>(std::lround(whole)) - given;
      given += *weight;
      if (&part != &parts.back()) ++weight;
    }
    firsts.push_back(static_cast<std::int32_t>(first));
  }
  const std::int32_t least = *std::ranges::min_element(firsts);
  for (std::int32_t& first : firsts) first -= least;
  return {least, {std::move(firsts), std::move(weights), most}};
}

const std::uint8_t* Resizer::row(const AVFrame& frame, int plane, Index number) const {
  const std::size_t axis = plane > 0 ? 1 : 0;
  return frame.data[plane] + (rows_[axis].begin + number) * frame.linesize[plane] +
         columns_[axis].begin;
}

void Resizer::two_lines(const AVFrame& frame, std::array<int, 2> planes, std::array<Index, 2> y,
                        std::array<std::uint32_t*, 2> lines) {
  const std::size_t axis = planes[0] > 0 ? 1 : 0;
  const lines::Picks& rows = rows_[axis].picks;
  const lines::Picks& columns = columns_[axis].picks;
  for (std::size_t i = 0; i < 2; ++i)
    lines::sum_rows(sums_[i].data(),
                    row(frame, planes[i], rows.first[static_cast<std::size_t>(y[i])]),
                    frame.linesize[planes[i]], rows.weights.data() + y[i] * rows.taps, rows.taps,
                    columns.sources);
  lines::pick(columns, lines, {sums_[0].data(), sums_[1].data()}, pairs_.data());
}

// Each row of the planes is picked once, and kept for the lines that follow.
void Resizer::enlarged_chroma(const AVFrame& frame, Index y) {
  const lines::Picks& rows = rows_[1].picks;
  const Index first = rows.first[static_cast<std::size_t>(y)];
  for (const Index number : {first, first + 1}) {
    const auto slot = static_cast<std::size_t>(number % 2);
    if (std::exchange(kept_row_[slot], number) != number)
      lines::pick(columns_[1].picks, {kept_[0][slot].data(), kept_[1][slot].data()},
                  {row(frame, 1, number), row(frame, 2, number)}, pairs_.data());
  }
  const auto above = static_cast<std::size_t>(first % 2);
  for (std::size_t i = 0; i < 2; ++i)
    lines::blend(lines_[2 + i].data(), kept_[i][above].data(), kept_[i][1 - above].data(),
                 rows.weights.data() + 2 * y, format_.width);
}

void Resizer::run(const AVFrame& frame, std::uint8_t* pixels) {
  const bool rgb = format_.channels == 3;
  const bool coloured = rgb && describe(frame)->nb_components > 1;
  const bool enlarged = rows_[1].picks.taps == 2 && rows_[1].picks.sources < format_.height;
  kept_row_.fill(-1);
  const auto line = [&](std::size_t i) { return lines_[i].data(); };
  for (Index y = 0; y < format_.height; ++y, pixels += format_.width * format_.channels) {
    const auto luma = static_cast<std::size_t>(y % 2);
    if (luma == 0)
      two_lines(frame, {0, 0}, {y, std::min(y + 1, format_.height - 1)}, {line(0), line(1)});
    if (coloured && enlarged)
      enlarged_chroma(frame, y);
    else if (coloured)
      two_lines(frame, {1, 2}, {y, y}, {line(2), line(3)});
    if (rgb)
      lines::to_rgb(pixels, line(luma), line(2), line(3), colours_, format_.width);
    else
      lines::to_grey(pixels, line(luma), colours_, format_.width);
  }
}

}  // namespace framefold

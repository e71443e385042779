#include "io/resample.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "kernels/error.h"

namespace framefold {
namespace {

// Along one axis: the source pixels that a pixel covers, and how much of each.
struct Cover {
  Index first;
  std::vector<double> weights;  // their sum is 1
};

// `count` pixels over the middle `part` of `length`.
std::vector<Cover> covers(Index length, double part, Index count) {
  std::vector<Cover> result;
  const double begin = (static_cast<double>(length) - part) / 2;
  const double step = part / static_cast<double>(count);
  for (Index i = 0; i < count; ++i) {
    const double low = begin + static_cast<double>(i) * step, high = low + step;
    const auto first = std::clamp(static_cast<Index>(low), Index{0}, length - 1);
    Cover cover{first, {}};
    for (Index j = first; j < length && (j == first || static_cast<double>(j) < high); ++j) {
      const double overlap =
          std::min(high, static_cast<double>(j + 1)) - std::max(low, static_cast<double>(j));
      cover.weights.push_back(std::max(0.0, overlap) / step);
    }
    result.push_back(std::move(cover));
  }
  return result;
}

}  // namespace

void resample(const FrameFormat& format, View picture, std::uint8_t* pixels) {
  const Index height = picture.shape[0], width = picture.shape[1], channels = picture.shape[2];
  if (picture.shape.rank() != 3 || picture.size() == 0 || (channels != 1 && channels != 3))
    fail(ErrorCode::shape, "resample: the picture is ", picture.type(), ", expected u8 [h, w, 1] ",
         "or [h, w, 3]");
  const auto* source = picture.as<std::uint8_t>();
  const auto h = static_cast<double>(height), w = static_cast<double>(width);
  const double wanted = static_cast<double>(format.width) / static_cast<double>(format.height);
  const std::vector<Cover> rows = covers(height, std::min(h, w / wanted), format.height);
  const std::vector<Cover> columns = covers(width, std::min(w, h * wanted), format.width);
  for (const Cover& row : rows)
    for (const Cover& column : columns) {
      std::array<double, 3> sum{};
      for (std::size_t y = 0; y < row.weights.size(); ++y)
        for (std::size_t x = 0; x < column.weights.size(); ++x) {
          const Index at =
              (row.first + static_cast<Index>(y)) * width + column.first + static_cast<Index>(x);
          for (Index c = 0; c < channels; ++c)
            sum[static_cast<std::size_t>(c)] +=
                row.weights[y] * column.weights[x] * source[at * channels + c];
        }
      if (channels == 1) sum[1] = sum[2] = sum[0];
      if (format.channels == 1) sum[0] = 0.299 * sum[0] + 0.587 * sum[1] + 0.114 * sum[2];
      for (Index c = 0; c < format.channels; ++c)
        *pixels++ = static_cast<std::uint8_t>(std::lround(sum[static_cast<std::size_t>(c)]));
    }
}

}  // namespace framefold

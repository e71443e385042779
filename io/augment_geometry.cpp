// Where pixels come from: resizing, flipping, affine maps.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "io/augment_parts.h"

namespace framefold::augment {
namespace {

// What a pixel gathers along one axis; the weights' sum is `one`.
constexpr std::int32_t one = 1 << 14;
struct Taps {
  Index first;
  std::vector<std::int32_t> weights;
};

// A triangle around each output pixel's middle, as wide as the reduction or one pixel.
std::vector<Taps> triangles(Index begin, Index length, Index count) {
  const double scale = static_cast<double>(length) / static_cast<double>(count);
  const double reach = std::max(1.0, scale);
  std::vector<Taps> all;
  for (Index i = 0; i < count; ++i) {
    const double middle = (static_cast<double>(i) + 0.5) * scale - 0.5;
    const Index low = std::max<Index>(0, static_cast<Index>(std::ceil(middle - reach)));
    const Index high = std::min(length - 1, static_cast<Index>(std::floor(middle + reach)));
    std::vector<double> weights;
    double sum = 0;
    for (Index j = low; j <= high; ++j) {
      weights.push_back(std::max(0.0, 1 - std::abs(static_cast<double>(j) - middle) / reach));
      sum += weights.back();
    }
    Taps taps{begin + low, {}};
    std::int32_t left = one;
    std::size_t largest = 0;
    for (std::size_t j = 0; j < weights.size(); ++j) {
      taps.weights.push_back(static_cast<std::int32_t>(std::lround(weights[j] / sum * one)));
      left -= taps.weights.back();
      if (weights[j] > weights[largest]) largest = j;
    }
    taps.weights[largest] += left;
    all.push_back(std::move(taps));
  }
  return all;
}

std::uint8_t rounded(std::int64_t value, int bits) {
  return static_cast<std::uint8_t>((value + (std::int64_t{1} << (bits - 1))) >> bits);
}

}  // namespace

void resize(View source, const Box& box, Tensor clip) {
  const Index frames = clip.shape[0], height = clip.shape[1], width = clip.shape[2];
  const Index channels = clip.shape[3], h = source.shape[1], w = source.shape[2];
  const auto* in = source.as<std::uint8_t>();
  auto* out = clip.as<std::uint8_t>();
  const bool same = box.height == height && box.width == width;
  std::vector<Taps> down, across;
  if (!same) {
    down = triangles(box.y, box.height, height);
    across = triangles(box.x, box.width, width);
  }
  std::vector<std::int32_t> row(static_cast<std::size_t>(w * channels));
  for (Index t = 0; t < frames; ++t)
    for (Index y = 0; y < height; ++y, out += width * channels) {
      const std::uint8_t* frame = in + t * h * w * channels;
      if (same) {
        std::memcpy(out, frame + ((box.y + y) * w + box.x) * channels,
                    static_cast<Bytes>(width * channels));
        continue;
      }
      // Down first: whole rows vectorise.
      const Taps& taps = down[static_cast<std::size_t>(y)];
      const Index first = box.x * channels, last = (box.x + box.width) * channels;
      std::fill(row.begin() + first, row.begin() + last, 0);
      for (std::size_t j = 0; j < taps.weights.size(); ++j) {
        const std::uint8_t* line = frame + (taps.first + static_cast<Index>(j)) * w * channels;
        for (Index i = first; i < last; ++i)
          row[static_cast<std::size_t>(i)] += taps.weights[j] * line[i];
      }
      for (Index x = 0; x < width; ++x) {
        const Taps& side = across[static_cast<std::size_t>(x)];
        for (Index c = 0; c < channels; ++c) {
          std::int64_t sum = 0;
          const std::int32_t* from = &row[static_cast<std::size_t>(side.first * channels + c)];
          for (std::size_t j = 0; j < side.weights.size(); ++j, from += channels)
            sum += std::int64_t{side.weights[j]} * *from;
          out[x * channels + c] = rounded(sum, 28);
        }
      }
    }
}

void flip(Tensor clip) {
  const Index rows = clip.shape[0] * clip.shape[1], width = clip.shape[2], channels = clip.shape[3];
  auto* row = clip.as<std::uint8_t>();
  for (Index y = 0; y < rows; ++y, row += width * channels)
    for (Index left = 0, right = width - 1; left < right; ++left, --right)
      std::swap_ranges(row + left * channels, row + (left + 1) * channels, row + right * channels);
}

void warp(Tensor clip, const Affine& affine, int outside) {
  const Index frames = clip.shape[0], height = clip.shape[1], width = clip.shape[2];
  const Index channels = clip.shape[3], size = height * width * channels;
  const double middle_x = static_cast<double>(width - 1) / 2;
  const double middle_y = static_cast<double>(height - 1) / 2;
  auto* out = clip.as<std::uint8_t>();
  const std::vector<std::uint8_t> in(out, out + clip.size());
  const auto place = [&](Index y, Index x) {  // where its pixel begins, -1: outside
    if (outside == hold) {
      y = std::clamp<Index>(y, 0, height - 1);
      x = std::clamp<Index>(x, 0, width - 1);
    }
    const bool within = y >= 0 && y < height && x >= 0 && x < width;
    return within ? (y * width + x) * channels : Index{-1};
  };
  for (Index y = 0; y < height; ++y)
    for (Index x = 0; x < width; ++x, out += channels) {
      const double dx = static_cast<double>(x) - middle_x, dy = static_cast<double>(y) - middle_y;
      const double from_x = affine.xx * dx + affine.xy * dy + affine.x0 + middle_x;
      const double from_y = affine.yx * dx + affine.yy * dy + affine.y0 + middle_y;
      // In 256ths of a pixel, so that a map to whole pixels is exact.
      const auto px = static_cast<Index>(std::llround(from_x * 256));
      const auto py = static_cast<Index>(std::llround(from_y * 256));
      const Index fx = px & 255, fy = py & 255;
      const std::array<Index, 4> weights = {(256 - fx) * (256 - fy), fx * (256 - fy),
                                            (256 - fx) * fy, fx * fy};
      std::array<Index, 4> places{};
      for (Index k = 0; k < 4; ++k)
        places[static_cast<std::size_t>(k)] = place((py >> 8) + k / 2, (px >> 8) + k % 2);
      for (Index t = 0; t < frames; ++t)
        for (Index c = 0; c < channels; ++c) {
          Index sum = 0;
          for (std::size_t k = 0; k < 4; ++k)
            sum +=
                weights[k] *
                (places[k] < 0 ? outside : in[static_cast<std::size_t>(t * size + places[k] + c)]);
          out[t * size + c] = rounded(sum, 16);
        }
    }
}

}  // namespace framefold::augment

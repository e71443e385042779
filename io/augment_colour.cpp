// What pixels become where they stand, or from their neighbours.
#include <algorithm>
#include <cmath>
#include <vector>

#include "io/augment_parts.h"

namespace framefold::augment {
namespace {

std::uint8_t clamped(double value) {
  return static_cast<std::uint8_t>(std::clamp(value + 0.5, 0.0, 255.0));
}

struct Frames {
  explicit Frames(const Tensor& clip)
      : count(clip.shape[0]),
        height(clip.shape[1]),
        width(clip.shape[2]),
        channels(clip.shape[3]) {}
  Index pixels() const { return height * width; }
  Index values() const { return height * width * channels; }
  Index count, height, width, channels;
};

// BT.601, in 1000ths as Pillow has it.
std::uint8_t grey_of(const std::uint8_t* pixel, Index channels) {
  if (channels == 1) return *pixel;
  return static_cast<std::uint8_t>((299 * pixel[0] + 587 * pixel[1] + 114 * pixel[2] + 500) / 1000);
}

std::uint8_t blend(double from, std::uint8_t value, double factor) {
  return clamped(from + factor * (value - from));
}

Table blending(double from, double factor) {
  Table table{};
  for (std::size_t i = 0; i < 256; ++i)
    table[i] = blend(from, static_cast<std::uint8_t>(i), factor);
  return table;
}

// Sums along an axis of float values: `taps` around each of `length`, edges held.
void smooth(const std::vector<float>& in, std::vector<float>& out, Index lines, Index length,
            Index step, Index line_step, const std::vector<float>& taps) {
  const auto reach = static_cast<Index>(taps.size() / 2);
  for (Index line = 0; line < lines; ++line) {
    const Index base = line / step * line_step + line % step;
    for (Index i = 0; i < length; ++i) {
      float sum = 0;
      for (Index k = -reach; k <= reach; ++k)
        sum += taps[static_cast<std::size_t>(k + reach)] *
               in[static_cast<std::size_t>(base + std::clamp<Index>(i + k, 0, length - 1) * step)];
      out[static_cast<std::size_t>(base + i * step)] = sum;
    }
  }
}

}  // namespace

void map(Tensor clip, const Table& table) {
  auto* values = clip.as<std::uint8_t>();
  for (Index i = 0; i < clip.size(); ++i) values[i] = table[values[i]];
}

void brightness(Tensor clip, double factor) { map(clip, blending(0, factor)); }

void contrast(Tensor clip, double factor) {
  const Frames frames(clip);
  auto* frame = clip.as<std::uint8_t>();
  for (Index t = 0; t < frames.count; ++t, frame += frames.values()) {
    Index sum = 0;
    for (Index i = 0; i < frames.pixels(); ++i)
      sum += grey_of(frame + i * frames.channels, frames.channels);
    const Index mean = (2 * sum + frames.pixels()) / (2 * frames.pixels());
    map({frame, DType::u8, {frames.values()}}, blending(static_cast<double>(mean), factor));
  }
}

void saturation(Tensor clip, double factor) {
  if (clip.shape[3] != 3) return;
  auto* pixel = clip.as<std::uint8_t>();
  for (Index i = 0; i < clip.size() / 3; ++i, pixel += 3) {
    const double grey = grey_of(pixel, 3);
    for (int c = 0; c < 3; ++c) pixel[c] = blend(grey, pixel[c], factor);
  }
}

void sharpness(Tensor clip, double factor) {
  const Frames frames(clip);
  auto* frame = clip.as<std::uint8_t>();
  const Index row = frames.width * frames.channels;
  std::vector<std::uint8_t> in;
  for (Index t = 0; t < frames.count; ++t, frame += frames.values()) {
    in.assign(frame, frame + frames.values());
    // Pillow's SMOOTH: 1 around 5, over 13; the border stays.
    for (Index y = 1; y + 1 < frames.height; ++y)
      for (Index i = y * row + frames.channels; i < (y + 1) * row - frames.channels; ++i) {
        int sum = 4 * in[static_cast<std::size_t>(i)];
        for (Index dy = -row; dy <= row; dy += row)
          for (Index dx = -frames.channels; dx <= frames.channels; dx += frames.channels)
            sum += in[static_cast<std::size_t>(i + dy + dx)];
        const int smooth = (2 * sum + 13) / 26;
        frame[i] = blend(smooth, in[static_cast<std::size_t>(i)], factor);
      }
  }
}

void hue(Tensor clip, double turn) {
  if (clip.shape[3] != 3) return;
  auto* pixel = clip.as<std::uint8_t>();
  for (Index i = 0; i < clip.size() / 3; ++i, pixel += 3) {
    const double r = pixel[0], g = pixel[1], b = pixel[2];
    const double high = std::max({r, g, b}), range = high - std::min({r, g, b});
    if (range == 0) continue;
    double sixth = high == r   ? (g - b) / range
                   : high == g ? 2 + (b - r) / range
                               : 4 + (r - g) / range;
    sixth += 6 * turn;
    // Channel n of a hue (Wikipedia, "HSL and HSV", alternative): 5 red, 3 green, 1 blue.
    const auto channel = [&](double n) {
      const double k = std::fmod(n + sixth + 12, 6.0);
      return clamped(high - range * std::max(0.0, std::min({k, 4 - k, 1.0})));
    };
    pixel[0] = channel(5);
    pixel[1] = channel(3);
    pixel[2] = channel(1);
  }
}

void blur(Tensor clip, double sigma) {
  const Frames frames(clip);
  std::vector<float> taps;
  const auto reach = static_cast<Index>(std::ceil(3 * sigma));
  double sum = 0;
  for (Index k = -reach; k <= reach; ++k)
    sum += std::exp(-static_cast<double>(k * k) / (2 * sigma * sigma));
  for (Index k = -reach; k <= reach; ++k)
    taps.push_back(
        static_cast<float>(std::exp(-static_cast<double>(k * k) / (2 * sigma * sigma)) / sum));
  auto* frame = clip.as<std::uint8_t>();
  const auto size = static_cast<std::size_t>(frames.values());
  const Index row = frames.width * frames.channels;
  std::vector<float> in(size), out(size);
  for (Index t = 0; t < frames.count; ++t, frame += frames.values()) {
    std::copy_n(frame, size, in.begin());
    smooth(in, out, row, frames.height, row, 0, taps);
    smooth(out, in, frames.height * frames.channels, frames.width, frames.channels, row, taps);
    for (std::size_t i = 0; i < size; ++i) frame[i] = clamped(in[i]);
  }
}

namespace {

// A table for each channel of each frame, made from its histogram.
template <class Make>
void by_histogram(Tensor clip, const Make& make) {
  const Frames frames(clip);
  auto* frame = clip.as<std::uint8_t>();
  for (Index t = 0; t < frames.count; ++t, frame += frames.values())
    for (Index c = 0; c < frames.channels; ++c) {
      std::array<Index, 256> histogram{};
      for (Index i = c; i < frames.values(); i += frames.channels) ++histogram[frame[i]];
      Table table{};
      for (std::size_t i = 0; i < 256; ++i) table[i] = static_cast<std::uint8_t>(i);
      make(histogram, table);
      for (Index i = c; i < frames.values(); i += frames.channels) frame[i] = table[frame[i]];
    }
}

}  // namespace

void autocontrast(Tensor clip) {
  by_histogram(clip, [](const std::array<Index, 256>& histogram, Table& table) {
    Index low = 0, high = 255;
    while (low < 255 && histogram[static_cast<std::size_t>(low)] == 0) ++low;
    while (high > 0 && histogram[static_cast<std::size_t>(high)] == 0) --high;
    if (high <= low) return;
    for (Index i = 0; i < 256; ++i)
      table[static_cast<std::size_t>(i)] =
          static_cast<std::uint8_t>(std::clamp<Index>((i - low) * 255 / (high - low), 0, 255));
  });
}

void equalize(Tensor clip) {
  by_histogram(clip, [](const std::array<Index, 256>& histogram, Table& table) {
    Index sum = 0, last = 0;
    for (const Index count : histogram) {
      sum += count;
      if (count > 0) last = count;
    }
    const Index step = (sum - last) / 255;
    if (step == 0) return;
    Index before = step / 2;
    for (std::size_t i = 0; i < 256; before += histogram[i], ++i)
      table[i] = static_cast<std::uint8_t>(std::min<Index>(255, before / step));
  });
}

}  // namespace framefold::augment

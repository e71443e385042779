// Noise, and rectangles that hide.
#include <algorithm>
#include <cmath>
#include <vector>

#include "io/augment_parts.h"
#include "io/random.h"

namespace framefold::augment {
namespace {

std::uint8_t clamped(float value) {
  return static_cast<std::uint8_t>(std::clamp(value + 0.5F, 0.0F, 255.0F));
}

// Normal numbers in chunks: element i of the stream.
class Normals {
 public:
  explicit Normals(Random random) : random_(random) {}
  float next() {
    if (at_ == random_chunk) {
      random_normals(random_, chunk_++, values_);
      at_ = 0;
    }
    return values_[at_++];
  }

 private:
  Random random_;
  std::uint64_t chunk_ = 0;
  std::size_t at_ = random_chunk;
  std::array<float, random_chunk> values_{};
};

}  // namespace

void rows_of(Tensor clip, const Box& box, const std::function<void(std::uint8_t*, Index)>& each) {
  const Index height = clip.shape[1], width = clip.shape[2], channels = clip.shape[3];
  for (Index t = 0; t < clip.shape[0]; ++t)
    for (Index y = box.y; y < box.y + box.height; ++y) {
      const Index first = ((t * height + y) * width + box.x) * channels;
      each(clip.as<std::uint8_t>() + first, box.width * channels);
    }
}

void erase(Tensor clip, double low, double high, Random random) {
  const Index h = clip.shape[1], w = clip.shape[2];
  Draws draws(random);
  for (int attempt = 0; attempt < 10; ++attempt) {
    const double area = draws.uniform(low, high) * static_cast<double>(h * w);
    const double aspect = std::exp(draws.uniform(std::log(0.3), std::log(1 / 0.3)));
    const auto height = static_cast<Index>(std::llround(std::sqrt(area * aspect)));
    const auto width = static_cast<Index>(std::llround(std::sqrt(area / aspect)));
    if (height < 1 || width < 1 || height >= h || width >= w) continue;
    const Box box{draws.below(h - height + 1), draws.below(w - width + 1), height, width};
    // Grey with a quarter of the range as deviation: timm's normal noise of normalised pixels.
    Normals normals({random.seed, stream_of(random.stream, 1)});
    rows_of(clip, box, [&](std::uint8_t* values, Index count) {
      for (Index i = 0; i < count; ++i) values[i] = clamped(127.5F + 63.75F * normals.next());
    });
    return;
  }
}

void masks(Tensor clip, Index count, double side, Random random) {
  const Index h = clip.shape[1], w = clip.shape[2];
  Draws draws(random);
  const auto length = [&](Index whole) {
    return std::clamp<Index>(std::llround(side * static_cast<double>(whole)), 1, whole);
  };
  for (Index i = 0; i < count; ++i) {
    const Index height = length(h), width = length(w);
    const Box box{draws.below(h - height + 1), draws.below(w - width + 1), height, width};
    rows_of(clip, box,
            [](std::uint8_t* values, Index row) { std::fill_n(values, row, std::uint8_t{128}); });
  }
}

void gaussian(Tensor clip, double deviation, Random random) {
  Normals normals(random);
  const auto scale = static_cast<float>(255 * deviation);
  auto* values = clip.as<std::uint8_t>();
  for (Index i = 0; i < clip.size(); ++i)
    values[i] = clamped(static_cast<float>(values[i]) + scale * normals.next());
}

void walk(Tensor clip, double deviation, Random random) {
  Normals normals(random);
  const auto scale = static_cast<float>(255 * deviation);
  const Index size = clip.size() / clip.shape[0];
  std::vector<float> sum(static_cast<std::size_t>(size), 0.0F);
  auto* values = clip.as<std::uint8_t>();
  for (Index t = 0; t < clip.shape[0]; ++t, values += size)
    for (Index i = 0; i < size; ++i) {
      float& walked = sum[static_cast<std::size_t>(i)];
      walked += scale * normals.next();
      values[i] = clamped(static_cast<float>(values[i]) + walked);
    }
}

void salt(Tensor clip, double share, Random random) {
  const Index channels = clip.shape[3];
  auto* pixel = clip.as<std::uint8_t>();
  for (Index i = 0; i < clip.size() / channels; ++i, pixel += channels) {
    const double drawn = static_cast<double>(random.uniform(static_cast<std::uint64_t>(i)));
    if (drawn < share)
      std::fill_n(pixel, channels, static_cast<std::uint8_t>(drawn < share / 2 ? 0 : 255));
  }
}

}  // namespace framefold::augment

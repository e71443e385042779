// RandAugment's 15 operations with magnitudes as timm's "increasing" set has them.
#include <algorithm>
#include <cmath>

#include "io/augment_parts.h"
#include "io/random.h"

namespace framefold::augment {
namespace {

constexpr int grey = 128;  // what comes in from outside

Table inverted_from(Index threshold) {
  Table table{};
  for (Index i = 0; i < 256; ++i)
    table[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(i < threshold ? i : 255 - i);
  return table;
}

Table brighter_below_half(Index by) {
  Table table{};
  for (Index i = 0; i < 256; ++i)
    table[static_cast<std::size_t>(i)] =
        static_cast<std::uint8_t>(i < 128 ? std::min<Index>(255, i + by) : i);
  return table;
}

Table with_bits(Index bits) {
  Table table{};
  const Index kept = 256 - (Index{1} << (8 - bits));
  for (Index i = 0; i < 256; ++i)
    table[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(i & kept);
  return table;
}

// `strength` is the magnitude over its largest, 0 to 1; `sign` is 1 or -1.
void operate(Tensor clip, Index operation, double strength, double sign) {
  const auto height = static_cast<double>(clip.shape[1]),
             width = static_cast<double>(clip.shape[2]);
  const double enhanced = 1 + sign * 0.9 * strength, slant = sign * 0.3 * strength;
  const double angle = sign * 30 * strength * 3.14159265358979323846 / 180;
  const double shift = sign * 0.45 * strength;
  switch (operation) {
    case 0: return autocontrast(clip);
    case 1: return equalize(clip);
    case 2: return map(clip, inverted_from(0));
    case 3:
      return warp(clip,
                  {.xx = std::cos(angle),
                   .xy = -std::sin(angle),
                   .yx = std::sin(angle),
                   .yy = std::cos(angle)},
                  grey);
    case 4: return map(clip, with_bits(4 - static_cast<Index>(strength * 4)));
    case 5: return map(clip, inverted_from(256 - static_cast<Index>(strength * 256)));
    case 6: return map(clip, brighter_below_half(static_cast<Index>(strength * 110)));
    case 7: return saturation(clip, enhanced);
    case 8: return contrast(clip, enhanced);
    case 9: return brightness(clip, enhanced);
    case 10: return sharpness(clip, enhanced);
    case 11: return warp(clip, {.xy = slant}, grey);
    case 12: return warp(clip, {.yx = slant}, grey);
    case 13: return warp(clip, {.x0 = shift * width}, grey);
    default: return warp(clip, {.y0 = shift * height}, grey);
  }
}

}  // namespace

void rand_augment(Tensor clip, Index operations, double magnitude, double deviation,
                  Random random) {
  for (Index i = 0; i < operations; ++i) {
    // Four words an operation, then two for the magnitude's normal.
    const auto at = static_cast<std::uint64_t>(8 * i);
    const Index operation = random.below(at, 15);
    if (random.uniform(at + 1) >= 0.5F) continue;
    const double sign = random.uniform(at + 2) < 0.5F ? 1 : -1;
    const double drawn = magnitude + deviation * static_cast<double>(random.normal((at + 4) / 2));
    operate(clip, operation, std::clamp(drawn, 0.0, 10.0) / 10, sign);
  }
}

}  // namespace framefold::augment

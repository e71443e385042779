// Pictures of digits drawn from random numbers alone, light on dark, for runs without any data.
//
//   clip   [1, 28, 28, 1]  u8
//
// Picture i shows a digit of random size, weight, slant and place in one of OpenCV's built-in
// fonts, or, where libframefold_fonts.so is absent, in strokes of our own; description() says
// which. A pure function of (seed, i).
#pragma once

#include <cstdint>

#include "io/dataset.h"

namespace framefold {

struct DrawnDigits {
  Index count = 10000;
  double held_out = 0.1;  // fraction
  std::uint64_t seed = 0;
};

Split drawn_digits(const DrawnDigits& options);

// The strokes: one of ten digits in 28 x 28 pixels.
void draw_digit_in_strokes(Random random, std::uint8_t* pixels);

// What libframefold_fonts.so exports under the name framefold_draw_digit; the same in fonts.
using DrawDigit = void(std::uint64_t seed, std::uint64_t stream, std::uint8_t* pixels);

}  // namespace framefold

// The factors of pixels.h repeated along a line, so that loops over few channels are long.
#pragma once

#include <array>
#include <string_view>

#include "kernels/error.h"
#include "kernels/pixels.h"

namespace framefold {

// y[i] = slope[i] x[i] + shift[i] for i below `period`, a multiple of the channels.
template <class A>
struct PixelLine {
  static constexpr Index most = 256;

  Index period;
  std::array<A, most> slope;
  std::array<A, most> shift;

  PixelLine(const Pixels& pixels, Index channels) : period(most / channels * channels) {
    for (std::size_t i = 0; i < most; ++i) {
      const std::size_t c = i % static_cast<std::size_t>(channels);
      const double deviation = pixels.deviation.empty() ? 1.0 : double{pixels.deviation[c]};
      const double mean = pixels.mean.empty() ? 0.0 : double{pixels.mean[c]};
      slope[i] = A(1 / (255 * deviation));
      shift[i] = A(-mean / deviation);
    }
  }
};

inline void expect_pixels(std::string_view op, std::string_view operand, const Pixels& pixels,
                          Index channels) {
  const auto expect = [&](std::string_view what, const std::vector<float>& given) {
    const auto count = static_cast<Index>(given.size());
    if (count == 0 || (count == channels && channels <= Pixels::max_channels)) return;
    fail(ErrorCode::argument, op, ": ", count, " numbers are given as ", what,
         ", expected one for each of ", operand, "'s ", channels, " channels (at most ",
         Pixels::max_channels, ") or none");
  };
  expect("mean", pixels.mean);
  expect("deviation", pixels.deviation);
  for (const float deviation : pixels.deviation)
    if (!(deviation > 0))
      fail(ErrorCode::argument, op, ": a deviation is ", deviation, ", expected above 0");
}

}  // namespace framefold

// The tubelets that a masked autoencoder is to predict, read where they stand in the clip: what
// tubelet_mse compares with and fold_tubelets undoes.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>

#include "kernels/pointwise.h"
#include "kernels/tubelet_mse.h"
#include "kernels/tubelets.h"

namespace framefold {

inline constexpr Index tubelet_piece = 256;  // elements of a line at once

// The tubelets that x holds, one after the other.
struct TubeletTargets {
  TubeletGrid grid;
  Index picks;
  View clip, index;

  TubeletTargets(const TubeletMse& mse, View x, View pixels, View tokens)
      : grid(pixels.shape, mse.tubelet), picks(x.shape[1]), clip(pixels), index(tokens) {}

  // Calls body(pixels, features before them) for every line of tubelet `at`.
  template <class Body>
  void lines(Index at, Body&& body) const {
    const Index token = index ? Index{index.as<std::int32_t>()[at]} : at % picks;
    const std::uint8_t* sample = clip.as<std::uint8_t>() + at / picks * grid.sample;
    for (Index line = 0; line < grid.lines(); ++line)
      body(sample + grid.at(token, line), line * grid.line());
  }

  Index period() const {
    return std::min(grid.line(), tubelet_piece / grid.channels * grid.channels);
  }

  // What t subtracts from the pixels of a channel, and multiplies by.
  template <class A>
  void measure(const TubeletMse& mse, Index at, A* shift, A* factor) const {
    std::array<std::int32_t, tubelet_piece> sums{};
    std::array<std::int32_t, tubelet_piece> squares{};
    if (mse.normalize)
      lines(at, [&](const std::uint8_t* v, Index) {
        for (Index i = 0; i < grid.line(); i += period())
          each(std::min(period(), grid.line() - i),
               [from = v + i, sum = sums.data(), square = squares.data()](Index k) {
                 sum[k] += from[k];
                 square[k] += from[k] * from[k];
               });
      });
    const Index pixels = grid.features() / grid.channels;
    const auto count = static_cast<double>(pixels);
    for (Index c = 0; c < grid.channels; ++c) {
      shift[c] = 0;
      factor[c] = A(1 / 255.0);
      if (!mse.normalize) continue;
      double sum = 0;
      double square = 0;
      for (Index i = c; i < period(); i += grid.channels) {
        sum += sums[static_cast<std::size_t>(i)];
        square += squares[static_cast<std::size_t>(i)];
      }
      const double spread = std::max(0.0, square - sum * sum / count);
      shift[c] = A(sum / count);
      factor[c] = A(1 / (std::sqrt(spread / (count - 1)) + 255 * mse.eps));
    }
  }
};

// Calls body(count, pixels, features before them, shift, factor) for pieces of the lines: the
// channels' scales are repeated along a piece, so that loops over few channels are long.
template <class A, class Body>
void for_pieces(const TubeletTargets& targets, Index at, const A* scales, Body&& body) {
  const Index channels = targets.grid.channels;
  const Index period = targets.period();
  std::array<A, tubelet_piece> shift;
  std::array<A, tubelet_piece> factor;
  for (Index i = 0; i < period; ++i) {
    shift[static_cast<std::size_t>(i)] = scales[i % channels];
    factor[static_cast<std::size_t>(i)] = scales[channels + i % channels];
  }
  targets.lines(at, [&](const std::uint8_t* v, Index begin) {
    for (Index i = 0; i < targets.grid.line(); i += period)
      body(std::min(period, targets.grid.line() - i), v + i, begin + i, shift.data(),
           factor.data());
  });
}

}  // namespace framefold

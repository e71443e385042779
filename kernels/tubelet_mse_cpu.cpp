#include "kernels/tubelet_mse.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "kernels/pointwise.h"
#include "kernels/tubelets.h"

namespace framefold {
namespace {

constexpr Index piece = 256;  // elements of a line at once

// The tubelets that x holds, one after the other.
struct Targets {
  TubeletGrid grid;
  Index picks;
  View clip, index;

  Targets(const TubeletMse& mse, View x, View pixels, View tokens)
      : grid(pixels.shape, mse.tubelet), picks(x.shape[1]), clip(pixels), index(tokens) {}

  // Calls body(pixels, features before them) for every line of tubelet `at`.
  template <class Body>
  void lines(Index at, Body&& body) const {
    const Index token = index ? Index{index.as<std::int32_t>()[at]} : at % picks;
    const std::uint8_t* sample = clip.as<std::uint8_t>() + at / picks * grid.sample;
    for (Index line = 0; line < grid.lines(); ++line)
      body(sample + grid.at(token, line), line * grid.line());
  }

  Index period() const { return std::min(grid.line(), piece / grid.channels * grid.channels); }

  // What t subtracts from the pixels of a channel, and multiplies by.
  template <class A>
  void measure(const TubeletMse& mse, Index at, A* shift, A* factor) const {
    std::array<std::int32_t, piece> sums{};
    std::array<std::int32_t, piece> squares{};
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
void for_pieces(const Targets& targets, Index at, const A* scales, Body&& body) {
  const Index channels = targets.grid.channels;
  const Index period = targets.period();
  std::array<A, piece> shift;
  std::array<A, piece> factor;
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

}  // namespace

void tubelet_mse_forward(const Stream& stream, const TubeletMse& mse, Tensor y, Tensor scales,
                         Workspace workspace, View x, View clip, View index) {
  const Targets targets(mse, x, clip, index);
  if (index) expect_index("tubelet_mse", index, targets.grid.tokens(), "the grid of tubelets");
  const Index channels = targets.grid.channels;
  const Index features = targets.grid.features();
  for_float(x.dtype, [&]<class T>(T) {
    using A = Accumulator<T>;
    const Index count = x.shape[0] * x.shape[1];
    const double sum = piecewise_sum(stream, count, 1, workspace, [&](Index at, Index) {
      A* own = scales.as<A>() + at * 2 * channels;
      targets.measure(mse, at, own, own + channels);
      double squares = 0;
      for_pieces(targets, at, own,
                 [&](Index n, const std::uint8_t* v, Index begin, const A* shift, const A* factor) {
                   const T* from = x.as<T>() + at * features + begin;
                   squares += sum_of(n, [=](Index i) {
                     const A d =
                         static_cast<A>(from[i]) - (static_cast<A>(v[i]) - shift[i]) * factor[i];
                     return d * d;
                   });
                 });
      return squares;
    });
    *y.as<A>() = static_cast<A>(sum / static_cast<double>(std::max<Index>(1, x.size())));
  });
}

Bytes tubelet_mse_workspace(const TensorType& x) {
  return piecewise_sum_workspace(x.shape[0] * x.shape[1], 1);
}

void tubelet_mse_dgrad(const Stream& stream, const TubeletMse& mse, Tensor dx, View dy, View x,
                       View clip, View index, View scales) {
  const Targets targets(mse, x, clip, index);
  const Index channels = targets.grid.channels;
  const Index features = targets.grid.features();
  for_float(x.dtype, [&]<class T>(T) {
    using A = Accumulator<T>;
    const A weight = *dy.as<A>() * A(2.0 / static_cast<double>(std::max<Index>(1, x.size())));
    parallel_for(stream, x.shape[0] * x.shape[1], 1 + pointwise_grain / features,
                 [&](Index first, Index last) {
                   for (Index at = first; at < last; ++at)
                     for_pieces(targets, at, scales.as<A>() + at * 2 * channels,
                                [&](Index n, const std::uint8_t* v, Index begin, const A* shift,
                                    const A* factor) {
                                  const T* from = x.as<T>() + at * features + begin;
                                  T* to = dx.as<T>() + at * features + begin;
                                  each(n, [=](Index i) {
                                    const A t = (static_cast<A>(v[i]) - shift[i]) * factor[i];
                                    to[i] = T(weight * (static_cast<A>(from[i]) - t));
                                  });
                                });
                 });
  });
}

}  // namespace framefold

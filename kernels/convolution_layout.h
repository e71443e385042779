// A convolution as a library with dimensions [N, C, spatial ...] and strides describes it, channels
// last:
//
//   y[n, k, o] = sum over c of k's group and taps r of x[n, c, o stride + r dilation - padding]
//                                                      w[k, c, r]
//
// x is the fine side, y the coarse one. The library wants w's channels c fastest, ours are those
// of k: w is our weight [taps c, k] with its two axes exchanged. Without time, T = 1 and kT = 1,
// there are two spatial dimensions.
#pragma once

#include <vector>

#include "kernels/convolution.h"

namespace framefold {

struct LibraryConvolution {
  struct Operand {
    std::vector<Index> extents, strides;  // [N, C, ...], [K, C / groups, ...]
  };
  Operand x, w, y;
  std::vector<Index> stride, padding, dilation;
};

inline LibraryConvolution library_convolution(const Convolution& c) {
  const bool flat = c.fine[0] == 1 && c.kernel[0] == 1 && c.padding[0] == 0 && c.coarse[0] == 1;
  const auto spatial = [&](const Extents& by_axis) {
    return std::vector<Index>(by_axis.begin() + (flat ? 1 : 0), by_axis.end());
  };
  const auto operand = [&](Index outer, Index channels, const Extents& by_axis) {
    LibraryConvolution::Operand made{{outer, channels}, {0, 1}};
    Index step = channels;
    const std::vector<Index> extents = spatial(by_axis);
    made.extents.insert(made.extents.end(), extents.begin(), extents.end());
    made.strides.resize(made.extents.size(), 1);
    for (std::size_t axis = made.extents.size(); axis-- > 2; step *= made.extents[axis])
      made.strides[axis] = step;
    made.strides[0] = step;
    return made;
  };
  return {.x = operand(c.batch, c.fine_channels, c.fine),
          .w = operand(c.coarse_channels, c.fine_group(), c.kernel),
          .y = operand(c.batch, c.coarse_channels, c.coarse),
          .stride = spatial(c.stride),
          .padding = spatial(c.padding),
          .dilation = spatial(c.dilation)};
}

// Whether the library would compute as many coarse positions as we mean: a transposed convolution
// may have been given others.
inline bool library_agrees(const Convolution& c) {
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const Index room =
        c.fine[axis] + 2 * c.padding[axis] - c.dilation[axis] * (c.kernel[axis] - 1) - 1;
    if (room < 0 || c.coarse[axis] != room / c.stride[axis] + 1) return false;
  }
  return c.weights() > 0 && c.fine_positions() > 0;
}

}  // namespace framefold

// Axes in another order.
//
//   y[i_0, ..., i_n] = x[j_0, ..., j_n]      j_axes[k] = i_k
//
//   x, dx        [N_0, ..., N_n]                any type (gradients: f32, bf16 or f64)
//   y, dy        [N_axes[0], ..., N_axes[n]]    as x
//   axes         every axis of x once
//
// dx is written (=). Backward reads dy alone. Bytes are moved, not computed with: every path and
// number of threads gives the same.
#pragma once

#include <span>

#include "kernels/stream.h"

namespace framefold {

void permute_forward(const Stream& stream, Tensor y, View x, std::span<const int> axes);
void permute_dgrad(const Stream& stream, Tensor dx, View dy, std::span<const int> axes);

// Whether y has the same bytes as x: only axes of one element change places.
bool permute_is_alias(const Shape& x, std::span<const int> axes);

// The axes of y without those of one element; neighbours that stay neighbours are one.
struct PermutedAxes {
  struct Axis {
    Index extent;
    Index step;  // in x, in elements
  };

  PermutedAxes(const Shape& x, std::span<const int> order);

  // Where element `index` of the first `leading` axes stands in x.
  Index position(Index index, std::size_t leading) const {
    Index at = 0;
    for (std::size_t a = leading; a-- > 0; index /= axes[a].extent)
      at += index % axes[a].extent * axes[a].step;
    return at;
  }

  std::array<Axis, Shape::max_rank> axes{};
  std::size_t count = 0;
};

namespace fast {
bool permute_forward(const Stream& stream, Tensor y, View x, std::span<const int> axes);
}

}  // namespace framefold

// A part of one axis.
//
//   y[..., i, ...] = x[..., begin + i, ...]       0 <= i < E
//
//   x, dx        [..., N, ...]   any type (gradients: f32, bf16 or f64), begin + E <= N
//   y, dy        [..., E, ...]   as x
//
// dx is written (=): dy within the part, 0 outside. Backward reads dy alone. Bytes are moved, not
// computed with: every path and number of threads gives the same.
#pragma once

#include "kernels/stream.h"

namespace framefold {

void slice_forward(const Stream& stream, Tensor y, View x, int axis, Index begin);
void slice_dgrad(const Stream& stream, Tensor dx, View dy, int axis, Index begin);

}  // namespace framefold

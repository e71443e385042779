// Sum of two tensors; the second may repeat over the first's leading axes (a bias, a table of
// positions).
//
//   y = x + b
//
//   x, y, dx, dy   [..., S]  f32, bf16 or f64, all the same; S any axes
//   b, db          as x      an activation: db is written (=)
//               or [S]       fewer axes, the last of x: a parameter, f32 (f64 where x is f64); db
//                            accumulates (+=) the sum of dy over the other axes
//
// Backward reads dy alone: add_dgrad gives dx, and db where b is as x. dx is written (=). y may be
// x, dx may be dy. Any size; db's sum is deterministic for a given number of threads. Memory-bound:
// the plain loops are the fast path.
#pragma once

#include "kernels/stream.h"

namespace framefold {

void add_forward(const Stream& stream, Tensor y, View x, View b);
void add_dgrad(const Stream& stream, Tensor dx, View dy);
void add_wgrad(const Stream& stream, Tensor db, Workspace workspace, View dy);
Bytes add_wgrad_workspace(const Stream& stream, const TensorType& b, const TensorType& x);

}  // namespace framefold

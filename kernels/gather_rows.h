// Rows picked by number, sample by sample.
//
//   y[b, m, ...] = x[b, index[b, m], ...]
//   dx[b, n, ...] = sum of dy[b, m, ...] over the m with index[b, m] = n
//
//   x, dx        [B, N, ...]   any type (gradients: f32, bf16 or f64)
//   index        [B, M]        i32, 0 to N - 1, in any order and number; checked in forward
//   y, dy        [B, M, ...]   as x
//
// dx is written (=), summed in f32 (f64) in the order of m: every path and number of threads gives
// the same. Backward reads dy and index. N and M below 2^31.
#pragma once

#include "kernels/stream.h"

namespace framefold {

void gather_rows_forward(const Stream& stream, Tensor y, View x, View index);
void gather_rows_dgrad(const Stream& stream, Tensor dx, Workspace workspace, View dy, View index);
Bytes gather_rows_dgrad_workspace(const Shape& x, const Shape& index);

}  // namespace framefold

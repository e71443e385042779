// Mean pooling over windows in time and space; 2-D is T = 1, kernel 1 in time.
//
//   y[b, t, h, w, c] = sum of x[b, i, j, k, c] over the window's positions / (kT kH kW)
//
//   x, dx        [B, T, H, W, C]        f32, bf16 or f64 (all the same)
//   y, dy        [B, T', H', W', C]     T' = floor((T + 2 p - k) / s) + 1, likewise H', W'
//
// Padding counts as zeros: every window divides by the whole kernel (count_include_pad). dx is
// written (=): each position sums dy of the windows that cover it, in their order. Backward reads
// dy alone. Every number of threads gives the same.
#pragma once

#include "kernels/pool3d.h"

namespace framefold {

void mean_pool3d_forward(const Stream& stream, const Pool3d& pool, Tensor y, View x);
void mean_pool3d_dgrad(const Stream& stream, const Pool3d& pool, Tensor dx, View dy);

// The fast path, f32: false where the operands are not for it.
namespace fast {
bool mean_pool3d_forward(const Stream& stream, const Pool3d& pool, Tensor y, View x);
bool mean_pool3d_dgrad(const Stream& stream, const Pool3d& pool, Tensor dx, View dy);
}  // namespace fast

}  // namespace framefold

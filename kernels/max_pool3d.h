// Max pooling over windows in time and space; 2-D is T = 1, kernel 1 in time.
//
//   y[b, t, h, w, c] = max of x[b, i, j, k, c] over the window's positions (i, j, k)
//
//   x, dx        [B, T, H, W, C]        f32, bf16 or f64 (all the same), T H W < 2^31
//   y, dy        [B, T', H', W', C]     T' = floor((T + 2 p - k) / s) + 1, likewise H', W'
//   argmax       [B, T', H', W', C]     i32, (i H + j) W + k of the maximum; written by forward,
//                                       read by backward
//
// Padding is never the maximum. Of equal values the first in the order of i, j, k wins; a NaN wins
// over all. dx is written (=): each position sums dy of the windows whose maximum it is, in their
// order, so that every path and number of threads gives the same.
#pragma once

#include "kernels/pool3d.h"

namespace framefold {

void max_pool3d_forward(const Stream& stream, const Pool3d& pool, Tensor y, Tensor argmax, View x);
void max_pool3d_dgrad(const Stream& stream, const Pool3d& pool, Tensor dx, View dy, View argmax);

// The fast path, f32: false where the operands are not for it.
namespace fast {
bool max_pool3d_forward(const Stream& stream, const Pool3d& pool, Tensor y, Tensor argmax, View x);
bool max_pool3d_dgrad(const Stream& stream, const Pool3d& pool, Tensor dx, View dy, View argmax);
}  // namespace fast

}  // namespace framefold

// Rows put to their places, sample by sample; every other place holds the token.
//
//   y[b, index[b, m], ...] = x[b, m, ...]         y[b, n, ...] = token where no index is n
//
//   x, dx            [B, M, ...]   f32, bf16 or f64
//   index            [B, M]        i32, 0 to N - 1, no number twice in a sample; checked in forward
//   token, dtoken    [...]         f32 (f64 where x is f64); without data: zeros
//   y, dy            [B, N, ...]   as x
//   source           [B, N]        i32, which m stands at n, -1 for the token; written by forward,
//                                  read by backward
//
// dx is written (=), dtoken accumulates (+=). Backward reads dy and source. Deterministic for a
// given number of threads. N and M below 2^31. Mask tokens: He et al. 2022, section 3.
#pragma once

#include "kernels/stream.h"

namespace framefold {

void scatter_rows_forward(const Stream& stream, Tensor y, Tensor source, View x, View index,
                          View token);
void scatter_rows_dgrad(const Stream& stream, Tensor dx, View dy, View source);
void scatter_rows_wgrad(const Stream& stream, Tensor dtoken, Workspace workspace, View dy,
                        View source);
Bytes scatter_rows_wgrad_workspace(const Stream& stream, const TensorType& y);

}  // namespace framefold

// Cross-entropy of a softmax with soft targets.
//
//   y = -1/R sum over rows of sum_c t log softmax(x)       in nats
//
//   x, t, dx   [..., C]  f32, bf16 or f64, all the same; R rows of C; t >= 0, of any sum: one-hot,
//                        smoothed labels, a teacher's probabilities
//   lse        [R]       f32 (f64 where x is f64): log sum_c e^x; written by forward, read by
//                        backward
//   y, dy      [1]       as lse
//
//   dx = dy/R (softmax(x) sum_c t - t)
//
// Backward reads x, t and lse; targets are data. dx is written (=). Any R, C >= 1; the largest
// logit is taken off first, so that any finite x is safe. Deterministic, the same for any number of
// threads.
#pragma once

#include "kernels/stream.h"

namespace framefold {

void cross_entropy_forward(const Stream& stream, Tensor y, Tensor lse, Workspace workspace, View x,
                           View t);
Bytes cross_entropy_workspace(const Stream& stream, const TensorType& x);
void cross_entropy_dgrad(const Stream& stream, Tensor dx, View dy, View x, View t, View lse);

namespace fast {
bool cross_entropy_forward(const Stream& stream, Tensor y, Tensor lse, Workspace workspace, View x,
                           View t);
bool cross_entropy_dgrad(const Stream& stream, Tensor dx, View dy, View x, View t, View lse);
}  // namespace fast

// Rows whose losses are summed as one piece.
inline Index cross_entropy_piece(Index width) { return 1 + 4096 / width; }

}  // namespace framefold

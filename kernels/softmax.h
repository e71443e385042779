// Softmax over the last axis.
//
//   y = e^(x - max x) / sum e^(x - max x)          dx = y (dy - sum(y dy))
//
//   x, y, dx, dy         [..., C]  f32, bf16 or f64 (all the same)
//
// y may be x, dx may be dy. dx is written (=). Backward reads y. -inf gets 0, a row of nothing else
// NaN. Deterministic: the same for any number of threads.
#pragma once

#include "kernels/stream.h"

namespace framefold {

void softmax_forward(const Stream& stream, Tensor y, View x);
void softmax_dgrad(const Stream& stream, Tensor dx, View dy, View y);

// The fast path, f32: false where the operands are not for it.
namespace fast {
bool softmax_forward(const Stream& stream, Tensor y, View x);
bool softmax_dgrad(const Stream& stream, Tensor dx, View dy, View y);
}  // namespace fast

}  // namespace framefold

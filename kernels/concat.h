// Tensors one after the other along an axis.
//
//   y[..., begin_i + j, ...] = x_i[..., j, ...]       begin_i = E_0 + ... + E_(i-1)
//
//   x_i, dx_i    [..., E_i, ...]   any type (gradients: f32, bf16 or f64), all the same; the other
//                                  axes agree; 1 to 16 tensors
//   y, dy        [..., sum E_i, ...]
//
// dx_i is written (=); one without data is skipped. Backward reads dy alone. Bytes are moved, not
// computed with: every path and number of threads gives the same.
#pragma once

#include <span>

#include "kernels/stream.h"

namespace framefold {

constexpr std::size_t concat_limit = 16;

void concat_forward(const Stream& stream, Tensor y, std::span<const Tensor> x, int axis);
void concat_dgrad(const Stream& stream, std::span<const Tensor> dx, View dy, int axis);

}  // namespace framefold

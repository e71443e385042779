// Layer normalisation over the last axis (Ba, Kiros, Hinton 2016).
//
//   y = (x - mean) * rstd * gamma + beta      rstd = 1 / sqrt(var + eps), var over C, biased
//
//   x, y, dx, dy         [..., C]  f32, bf16 or f64 (all the same); R rows of C
//   gamma, beta, d...    [C]       f32 (f64 where x is f64)
//   mean, rstd           [R]       as gamma; written by forward, read by backward
//
// With b, the sum of a residual block is normalised: sum = x + b, rounded to its type, takes x's
// place above, in backward too, and goes on to the next block; dsum is what comes back from there.
//
//   b, sum, db, dsum     as x      dx += dsum, db = dx; sum may be x, dx may be dsum
//
// dx is written (=), dgamma and dbeta accumulate (+=). Any R, C >= 1; two passes, so a mean far
// above the deviation costs no digits. Deterministic for a given number of threads.
#pragma once

#include "kernels/stream.h"

namespace framefold {

struct LayerNorm {
  float eps = 1e-6F;
};

void layer_norm_forward(const Stream& stream, LayerNorm norm, Tensor y, Tensor mean, Tensor rstd,
                        View x, View gamma, View beta, Tensor sum = {}, View b = {});
// dsum and db where there are any.
void layer_norm_dgrad(const Stream& stream, Tensor dx, View dy, View x, View mean, View rstd,
                      View gamma, Tensor db = {}, View dsum = {});
void layer_norm_wgrad(const Stream& stream, Tensor dgamma, Tensor dbeta, Workspace workspace,
                      View dy, View x, View mean, View rstd);
Bytes layer_norm_wgrad_workspace(const Stream& stream, const TensorType& x);
// Both, with the workspace of wgrad: x and dy are read once.
void layer_norm_backward(const Stream& stream, Tensor dx, Tensor dgamma, Tensor dbeta,
                         Workspace workspace, View dy, View x, View mean, View rstd, View gamma,
                         Tensor db = {}, View dsum = {});

// The fast path, f32: false where the operands are not for it.
namespace fast {
bool layer_norm_forward(const Stream& stream, LayerNorm norm, Tensor y, Tensor mean, Tensor rstd,
                        View x, View gamma, View beta, Tensor sum, View b);
bool layer_norm_dgrad(const Stream& stream, Tensor dx, View dy, View x, View mean, View rstd,
                      View gamma, Tensor db, View dsum);
bool layer_norm_wgrad(const Stream& stream, Tensor dgamma, Tensor dbeta, Workspace workspace,
                      View dy, View x, View mean, View rstd);
bool layer_norm_backward(const Stream& stream, Tensor dx, Tensor dgamma, Tensor dbeta,
                         Workspace workspace, View dy, View x, View mean, View rstd, View gamma,
                         Tensor db, View dsum);
}  // namespace fast

}  // namespace framefold

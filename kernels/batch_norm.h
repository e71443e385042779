// Batch normalisation over all axes but the last (Ioffe, Szegedy 2015).
//
//   y = (x - mean) rstd gamma + beta               rstd = 1 / sqrt(var + eps)
//   training:    mean and var (biased) of each channel over the R rows of this batch, and
//                running_mean += momentum (mean - running_mean)
//                running_var  += momentum (var R / (R - 1) - running_var)
//   evaluation:  mean = running_mean, var = running_var, constants to backward
//
//   x, y, dx, dy                 [..., C]  f32, bf16 or f64 (all the same); R rows of C, in
//   training
//                                          R >= 2
//   gamma, beta, d..., running   [C]       f32 (f64 where x is f64)
//   mean, rstd                   [C]       as gamma; written by forward, read by backward
//   sums                         [2, C]    as gamma; written by batch_norm_sums, read by both
//                                          gradients
//
// dx is written (=), dgamma and dbeta accumulate (+=). dx may be dy, once the sums are there. A
// mean far above the deviation costs no digits. Deterministic for a given number of threads.
#pragma once

#include "kernels/stream.h"

namespace framefold {

struct BatchNorm {
  float eps = 1e-5F;
  float momentum = 0.1F;
  bool training = true;
};

void batch_norm_forward(const Stream& stream, BatchNorm norm, Tensor y, Tensor mean, Tensor rstd,
                        Tensor running_mean, Tensor running_var, Workspace workspace, View x,
                        View gamma, View beta);
void batch_norm_sums(const Stream& stream, Tensor sums, Workspace workspace, View dy, View x,
                     View mean, View rstd);
void batch_norm_dgrad(const Stream& stream, BatchNorm norm, Tensor dx, Workspace workspace, View dy,
                      View x, View mean, View rstd, View gamma, View sums);
void batch_norm_wgrad(const Stream& stream, Tensor dgamma, Tensor dbeta, View sums);
// Of forward, sums and dgrad, each.
Bytes batch_norm_workspace(const Stream& stream, const Shape& x);

}  // namespace framefold

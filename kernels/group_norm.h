// Group normalisation: statistics of each sample's groups of channels (Wu, He 2018).
//
//   y = (x - mean) rstd gamma + beta      rstd = 1 / sqrt(var + eps), var biased, both over the
//                                         positions and the C / G channels of a group
//
//   with silu, y = z sigmoid(z) of that z; its gradient is dz, which the gradients below read as dy
//
//   x, y, dx, dy, dz     [B, ..., C]  f32, bf16 or f64 (all the same); G divides C
//   gamma, beta, d...    [C]          f32 (f64 where x is f64)
//   mean, rstd           [B, G]       as gamma; written by forward, read by backward
//   sums                 [B, 2, C]    as gamma; written by group_norm_sums, read by both gradients
//
// dx and dz are written (=), dgamma and dbeta accumulate (+=). dx may be dy, once the sums are
// there. A mean far above the deviation costs no digits. Deterministic for a given number of
// threads.
#pragma once

#include "kernels/stream.h"

namespace framefold {

struct GroupNorm {
  Index groups = 1;
  float eps = 1e-5F;
  bool silu = false;
};

void group_norm_forward(const Stream& stream, GroupNorm norm, Tensor y, Tensor mean, Tensor rstd,
                        Workspace workspace, View x, View gamma, View beta);
void group_norm_dsilu(const Stream& stream, GroupNorm norm, Tensor dz, View dy, View x, View mean,
                      View rstd, View gamma, View beta);
void group_norm_sums(const Stream& stream, GroupNorm norm, Tensor sums, Workspace workspace,
                     View dy, View x, View mean, View rstd);
void group_norm_dgrad(const Stream& stream, GroupNorm norm, Tensor dx, Workspace workspace, View dy,
                      View x, View mean, View rstd, View gamma, View sums);
void group_norm_wgrad(const Stream& stream, Tensor dgamma, Tensor dbeta, View sums);
// Of forward, sums and dgrad, each.
Bytes group_norm_workspace(const Stream& stream, GroupNorm norm, const Shape& x);

}  // namespace framefold

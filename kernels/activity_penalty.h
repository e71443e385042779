// Penalties on a code's activity: what makes an autoencoder sparse.
//
//   l1   y = w sum |x|           dx = dy w sign(x), 0 at 0       w from the reduction; see loss.h
//   l2   y = w sum x^2           dx = dy w 2 x
//   sparsity   y = sum_c r log(r / m_c) + (1 - r) log((1 - r) / (1 - m_c)): the divergence of
//              activity m, the mean of x over all axes but the last, from a target r; in nats
//              dx = dy/R ((1 - r) / (1 - m) - r / m)             R the number of rows
//
//   x, dx   [..., C]  f32, bf16 or f64; sparsity: activities in (0, 1), as sigmoid gives them
//   m       [C]       f32 (f64 where x is f64), sparsity only: written by forward, read by backward
//   y, dy   [1]       as m
//
// Backward reads x, or m alone. m is held within [1e-6, 1 - 1e-6], so that a unit that is always
// off still gets a finite gradient, that of the bound. dx is written (=). Any size; deterministic
// for a given number of threads. Source of sparsity: Ng 2011, CS294A lecture notes.
#pragma once

#include "kernels/loss.h"
#include "kernels/stream.h"

namespace framefold {

struct ActivityPenalty {
  enum Kind : std::uint8_t { l1, l2, sparsity };

  Kind kind = l1;
  LossReduction reduction = LossReduction::batch_mean;  // l1, l2
  float target = 0.05F;                                 // sparsity: r, in (0, 1)

  static constexpr double bound = 1e-6;  // of m, from 0 and from 1
};

void activity_penalty_forward(const Stream& stream, ActivityPenalty penalty, Tensor y, Tensor m,
                              Workspace workspace, View x);
void activity_penalty_dgrad(const Stream& stream, ActivityPenalty penalty, Tensor dx,
                            Workspace workspace, View dy, View x, View m);
Bytes activity_penalty_workspace(const Stream& stream, ActivityPenalty penalty,
                                 const TensorType& x);  // forward's and dgrad's

namespace fast {
bool activity_penalty_sum(const Stream& stream, ActivityPenalty penalty, double& sum,
                          Workspace workspace, View x);
}

}  // namespace framefold

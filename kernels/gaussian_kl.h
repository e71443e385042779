// The divergence of a diagonal Gaussian from the standard one, a variational autoencoder's second
// loss (Kingma and Welling 2014).
//
//   y = -w/2 sum(1 + logvar - mu^2 - e^logvar)       w from the reduction; see loss.h
//
//   mu, logvar, dmu, dlogvar   any shape, f32, bf16 or f64, all the same
//   y, dy                      [1], f32 (f64 where mu is f64); in nats
//
//   dmu = dy w mu       dlogvar = dy w/2 (e^logvar - 1)
//
// Backward reads mu and logvar. Gradients are written (=); dmu or dlogvar without data is skipped.
// Any size; deterministic, the same for any number of threads.
#pragma once

#include "kernels/loss.h"
#include "kernels/stream.h"

namespace framefold {

void gaussian_kl_forward(const Stream& stream, LossReduction reduction, Tensor y,
                         Workspace workspace, View mu, View logvar);
Bytes gaussian_kl_workspace(const TensorType& mu);
void gaussian_kl_dgrad(const Stream& stream, LossReduction reduction, Tensor dmu, Tensor dlogvar,
                       View dy, View mu, View logvar);

namespace fast {
bool gaussian_kl_forward(const Stream& stream, LossReduction reduction, Tensor y,
                         Workspace workspace, View mu, View logvar);
bool gaussian_kl_dlogvar(const Stream& stream, double half, Tensor dlogvar, View logvar);
}  // namespace fast

}  // namespace framefold

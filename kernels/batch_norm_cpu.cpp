#include "kernels/batch_norm.h"

#include "kernels/channel_norm.h"

namespace framefold {
namespace {

ChannelGroups extent_of(const Shape& x) {
  return {.rows = x.size() / x[-1], .channels = x[-1], .groups = x[-1]};
}

template <class A>
void update(A momentum, A* running, const A* batch, Index channels, A unbias) {
  for (Index c = 0; c < channels; ++c) running[c] += momentum * (batch[c] * unbias - running[c]);
}

}  // namespace

void batch_norm_forward(const Stream& stream, BatchNorm norm, Tensor y, Tensor mean, Tensor rstd,
                        Tensor running_mean, Tensor running_var, Workspace workspace, View x,
                        View gamma, View beta) {
  const ChannelGroups extent = extent_of(x.shape);
  for_float(mean.dtype, [&]<class T>(T) {
    using A = Accumulator<T>;
    if (!norm.training) {
      std::copy_n(running_mean.as<A>(), extent.channels, mean.as<A>());
      std::copy_n(running_var.as<A>(), extent.channels, rstd.as<A>());
      return;
    }
    channel_statistics(stream, extent, mean, rstd, workspace, x);
    const auto momentum = static_cast<A>(norm.momentum);
    const auto rows = static_cast<A>(extent.rows);
    update(momentum, running_mean.as<A>(), mean.as<A>(), extent.channels, A(1));
    update(momentum, running_var.as<A>(), rstd.as<A>(), extent.channels, rows / (rows - 1));
  });
  channel_rstd(rstd, rstd, norm.eps);
  channel_normalise(stream, extent, y, x, mean, rstd, gamma, beta);
}

void batch_norm_sums(const Stream& stream, Tensor sums, Workspace workspace, View dy, View x,
                     View mean, View rstd) {
  channel_sums(stream, extent_of(x.shape), sums, workspace, dy, x, mean, rstd);
}

void batch_norm_dgrad(const Stream& stream, BatchNorm norm, Tensor dx, View dy, View x, View mean,
                      View rstd, View gamma, View sums) {
  channel_dgrad(stream, extent_of(x.shape), norm.training, dx, dy, x, mean, rstd, gamma, sums);
}

void batch_norm_wgrad(Tensor dgamma, Tensor dbeta, View sums) {
  channel_wgrad({.channels = sums.shape[-1], .groups = sums.shape[-1]}, dgamma, dbeta, sums);
}

Bytes batch_norm_workspace(const Stream& stream, const Shape& x) {
  return channel_workspace(stream, x[-1]);
}

}  // namespace framefold

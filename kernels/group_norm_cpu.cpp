#include "kernels/group_norm.h"

#include "kernels/channel_norm.h"

namespace framefold {
namespace {

ChannelGroups extent_of(const Shape& x, GroupNorm norm) {
  return {
      .samples = x[0], .rows = x.size() / (x[0] * x[-1]), .channels = x[-1], .groups = norm.groups};
}

}  // namespace

void group_norm_forward(const Stream& stream, GroupNorm norm, Tensor y, Tensor mean, Tensor rstd,
                        Workspace workspace, View x, View gamma, View beta) {
  const ChannelGroups extent = extent_of(x.shape, norm);
  channel_statistics(stream, extent, mean, rstd, workspace, x);
  channel_rstd(stream, rstd, rstd, norm.eps);
  channel_normalise(stream, extent, y, x, mean, rstd, gamma, beta, norm.silu);
}

void group_norm_dsilu(const Stream& stream, GroupNorm norm, Tensor dz, View dy, View x, View mean,
                      View rstd, View gamma, View beta) {
  channel_dsilu(stream, extent_of(x.shape, norm), dz, dy, x, mean, rstd, gamma, beta);
}

void group_norm_sums(const Stream& stream, GroupNorm norm, Tensor sums, Workspace workspace,
                     View dy, View x, View mean, View rstd) {
  channel_sums(stream, extent_of(x.shape, norm), sums, workspace, dy, x, mean, rstd);
}

void group_norm_dgrad(const Stream& stream, GroupNorm norm, Tensor dx, Workspace workspace, View dy,
                      View x, View mean, View rstd, View gamma, View sums) {
  channel_dgrad(stream, extent_of(x.shape, norm), true, dx, workspace, dy, x, mean, rstd, gamma,
                sums);
}

void group_norm_wgrad(const Stream& stream, Tensor dgamma, Tensor dbeta, View sums) {
  channel_wgrad(stream, {.samples = sums.shape[0], .channels = sums.shape[-1]}, dgamma, dbeta,
                sums);
}

Bytes group_norm_workspace(const Stream& stream, GroupNorm norm, const Shape& x) {
  return channel_workspace(stream, extent_of(x, norm));
}

}  // namespace framefold

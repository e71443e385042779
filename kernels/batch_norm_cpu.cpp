#include "kernels/batch_norm.h"

#include "kernels/channel_norm.h"
#include "kernels/copy.h"

namespace framefold {
namespace {

ChannelGroups extent_of(const Shape& x) {
  return {.rows = x.size() / x[-1], .channels = x[-1], .groups = x[-1]};
}

}  // namespace

void batch_norm_forward(const Stream& stream, BatchNorm norm, Tensor y, Tensor mean, Tensor rstd,
                        Tensor running_mean, Tensor running_var, Workspace workspace, View x,
                        View gamma, View beta) {
  const ChannelGroups extent = extent_of(x.shape);
  const auto rows = static_cast<double>(extent.rows);
  if (norm.training) {
    channel_statistics(stream, extent, mean, rstd, workspace, x);
    channel_running(stream, running_mean, mean, norm.momentum, 1);
    channel_running(stream, running_var, rstd, norm.momentum, rows / (rows - 1));
  } else {
    const auto bytes = static_cast<Index>(mean.bytes());
    copy_blocks(stream, mean.data, bytes, running_mean.data, bytes, bytes, 1);
    copy_blocks(stream, rstd.data, bytes, running_var.data, bytes, bytes, 1);
  }
  channel_rstd(stream, rstd, rstd, norm.eps);
  channel_normalise(stream, extent, y, x, mean, rstd, gamma, beta);
}

void batch_norm_sums(const Stream& stream, Tensor sums, Workspace workspace, View dy, View x,
                     View mean, View rstd) {
  channel_sums(stream, extent_of(x.shape), sums, workspace, dy, x, mean, rstd);
}

void batch_norm_dgrad(const Stream& stream, BatchNorm norm, Tensor dx, Workspace workspace, View dy,
                      View x, View mean, View rstd, View gamma, View sums) {
  channel_dgrad(stream, extent_of(x.shape), norm.training, dx, workspace, dy, x, mean, rstd, gamma,
                sums);
}

void batch_norm_wgrad(const Stream& stream, Tensor dgamma, Tensor dbeta, View sums) {
  channel_wgrad(stream, {.channels = sums.shape[-1], .groups = sums.shape[-1]}, dgamma, dbeta,
                sums);
}

Bytes batch_norm_workspace(const Stream& stream, const Shape& x) {
  return channel_workspace(stream, extent_of(x));
}

}  // namespace framefold

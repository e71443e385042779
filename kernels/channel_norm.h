// What batch_norm (one sample of all rows, every channel a group) and group_norm (statistics of
// each sample's groups of channels) have in common.
//
//   x, y, dx, dy, dz     [S, R, C]  f32, bf16 or f64 (all the same)
//   gamma, beta, d...    [C]        f32 (f64 where x is f64)
//   mean, var, rstd      [S, G]     as gamma, over the R C / G elements of a group; var is biased
//   sums                 [S, 2, C]  as gamma: over the rows, the sums of dy and of dy n
//
//   n = (x - mean) rstd                    z = n gamma + beta
//   y = z, or z sigmoid(z)                 dz = dy times that function's derivative at z
//   dx = rstd (dy gamma - mean(dy gamma) - n mean(dy gamma n)), means over the group
//   dx = rstd dy gamma, where the statistics do not depend on x
//
// y, dz, mean, var, sums and dx are written (=), dgamma and dbeta accumulate (+=). dx may be dy.
// Deterministic for a given number of threads. Statistics are summed in f64: a mean far above the
// deviation costs no digits.
#pragma once

#include "kernels/stream.h"

namespace framefold {

struct ChannelGroups {
  Index samples = 1;
  Index rows = 1;
  Index channels = 1;
  Index groups = 1;

  constexpr Index channels_of_group() const { return channels / groups; }
};

void channel_statistics(const Stream& stream, const ChannelGroups& extent, Tensor mean, Tensor var,
                        Workspace workspace, View x);
void channel_rstd(const Stream& stream, Tensor rstd, View var, float eps);  // rstd may be var
// running += momentum (batch unbias - running)
void channel_running(const Stream& stream, Tensor running, View batch, double momentum,
                     double unbias);
void channel_normalise(const Stream& stream, const ChannelGroups& extent, Tensor y, View x,
                       View mean, View rstd, View gamma, View beta, bool silu = false);
void channel_dsilu(const Stream& stream, const ChannelGroups& extent, Tensor dz, View dy, View x,
                   View mean, View rstd, View gamma, View beta);
void channel_sums(const Stream& stream, const ChannelGroups& extent, Tensor sums,
                  Workspace workspace, View dy, View x, View mean, View rstd);
void channel_dgrad(const Stream& stream, const ChannelGroups& extent, bool through_statistics,
                   Tensor dx, Workspace workspace, View dy, View x, View mean, View rstd,
                   View gamma, View sums);
void channel_wgrad(const Stream& stream, const ChannelGroups& extent, Tensor dgamma, Tensor dbeta,
                   View sums);
// Of statistics, sums and dgrad, each.
Bytes channel_workspace(const Stream& stream, const ChannelGroups& extent);

// The fast path, f32: false where the operands are not for it.
namespace fast {
bool channel_statistics(const Stream& stream, const ChannelGroups& extent, Tensor mean, Tensor var,
                        Workspace workspace, View x);
bool channel_normalise(const Stream& stream, const ChannelGroups& extent, Tensor y, View x,
                       View mean, View rstd, View gamma, View beta);
bool channel_sums(const Stream& stream, const ChannelGroups& extent, Tensor sums,
                  Workspace workspace, View dy, View x, View mean, View rstd);
bool channel_dgrad(const Stream& stream, const ChannelGroups& extent, bool through_statistics,
                   Tensor dx, View dy, View x, View mean, View rstd, View gamma, View sums);
}  // namespace fast

}  // namespace framefold

#include "kernels/channel_norm.h"

#include "kernels/activation.h"
#include "kernels/device.h"
#include "kernels/partial_sums.h"

namespace framefold {
namespace {

// Calls body(s, g, first element of the group, first channel) for every sample's groups.
template <class Body>
void for_groups(const Stream& stream, const ChannelGroups& extent, Body&& body) {
  parallel_for(stream, extent.samples * extent.groups, 1, [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      const Index channel = i % extent.groups * extent.channels_of_group();
      body(i, i / extent.groups * extent.rows * extent.channels + channel, channel);
    }
  });
}

// Calls body(element, channel of the group) for the elements of one group.
template <class Body>
void for_elements(const ChannelGroups& extent, Index first, Body&& body) {
  for (Index r = 0; r < extent.rows; ++r)
    for (Index c = 0; c < extent.channels_of_group(); ++c) body(first + r * extent.channels + c, c);
}

template <class T, class A>
void statistics(const Stream& stream, const ChannelGroups& extent, A* mean, A* var, const T* x) {
  const auto count = static_cast<double>(extent.rows * extent.channels_of_group());
  for_groups(stream, extent, [&](Index i, Index first, Index) {
    double sum = 0;
    for_elements(extent, first, [&](Index at, Index) { sum += static_cast<double>(x[at]); });
    double squares = 0;
    for_elements(extent, first, [&](Index at, Index) {
      const double d = static_cast<double>(x[at]) - sum / count;
      squares += d * d;
    });
    mean[i] = static_cast<A>(sum / count);
    var[i] = static_cast<A>(squares / count);
  });
}

template <class T, class A>
void normalise(const Stream& stream, const ChannelGroups& extent, T* y, const T* x, const A* mean,
               const A* rstd, const A* gamma, const A* beta) {
  for_groups(stream, extent, [&](Index i, Index first, Index channel) {
    for_elements(extent, first, [&](Index at, Index c) {
      const A n = (static_cast<A>(x[at]) - mean[i]) * rstd[i];
      y[at] = T(n * gamma[channel + c] + beta[channel + c]);
    });
  });
}

template <class T, class A>
void channel_totals(const Stream& stream, const ChannelGroups& extent, A* sums, const T* dy,
                    const T* x, const A* mean, const A* rstd) {
  for_groups(stream, extent, [&](Index i, Index first, Index channel) {
    A* sum = sums + i / extent.groups * 2 * extent.channels + channel;
    A* product = sum + extent.channels;
    std::fill_n(sum, extent.channels_of_group(), A(0));
    std::fill_n(product, extent.channels_of_group(), A(0));
    for_elements(extent, first, [&](Index at, Index c) {
      sum[c] += static_cast<A>(dy[at]);
      product[c] += static_cast<A>(dy[at]) * (static_cast<A>(x[at]) - mean[i]) * rstd[i];
    });
  });
}

template <class T, class A>
void dgrad(const Stream& stream, const ChannelGroups& extent, bool through_statistics, T* dx,
           const T* dy, const T* x, const A* mean, const A* rstd, const A* gamma, const A* sums) {
  const auto count = static_cast<A>(extent.rows * extent.channels_of_group());
  for_groups(stream, extent, [&](Index i, Index first, Index channel) {
    const A* sum = sums + i / extent.groups * 2 * extent.channels + channel;
    const A* product = sum + extent.channels;
    A mean_g = 0;
    A mean_gn = 0;
    for (Index c = 0; through_statistics && c < extent.channels_of_group(); ++c) {
      mean_g += gamma[channel + c] * sum[c] / count;
      mean_gn += gamma[channel + c] * product[c] / count;
    }
    for_elements(extent, first, [&](Index at, Index c) {
      const A n = (static_cast<A>(x[at]) - mean[i]) * rstd[i];
      const A g = static_cast<A>(dy[at]) * gamma[channel + c];
      dx[at] = T(rstd[i] * (g - mean_g - n * mean_gn));
    });
  });
}

}  // namespace

void channel_statistics(const Stream& stream, const ChannelGroups& extent, Tensor mean, Tensor var,
                        Workspace workspace, View x) {
  if (on_device(stream))
    return device<&channel_statistics>(stream, extent, mean, var, workspace, x);
  if (fast::channel_statistics(stream, extent, mean, var, workspace, x)) return;
  for_float(x.dtype, [&]<class T>(T) {
    using A = Accumulator<T>;
    statistics(stream, extent, mean.as<A>(), var.as<A>(), x.as<T>());
  });
}

void channel_rstd(const Stream& stream, Tensor rstd, View var, float eps) {
  if (on_device(stream)) return device<&channel_rstd>(stream, rstd, var, eps);
  for_float(var.dtype, [&]<class T>(T) {
    using A = Accumulator<T>;
    for (Index i = 0; i < var.size(); ++i)
      rstd.as<A>()[i] = 1 / std::sqrt(var.as<A>()[i] + static_cast<A>(eps));
  });
}

void channel_running(const Stream& stream, Tensor running, View batch, double momentum,
                     double unbias) {
  if (on_device(stream)) return device<&channel_running>(stream, running, batch, momentum, unbias);
  for_float(running.dtype, [&]<class T>(T) {
    using A = Accumulator<T>;
    A* to = running.as<A>();
    for (Index c = 0; c < batch.size(); ++c)
      to[c] += A(momentum) * (batch.as<A>()[c] * A(unbias) - to[c]);
  });
}

void channel_normalise(const Stream& stream, const ChannelGroups& extent, Tensor y, View x,
                       View mean, View rstd, View gamma, View beta, bool silu) {
  if (on_device(stream))
    return device<&channel_normalise>(stream, extent, y, x, mean, rstd, gamma, beta, silu);
  if (!fast::channel_normalise(stream, extent, y, x, mean, rstd, gamma, beta))
    for_float(x.dtype, [&]<class T>(T) {
      using A = Accumulator<T>;
      normalise(stream, extent, y.as<T>(), x.as<T>(), mean.as<A>(), rstd.as<A>(), gamma.as<A>(),
                beta.as<A>());
    });
  if (silu) activation_forward(stream, Activation::silu, y, y);
}

void channel_dsilu(const Stream& stream, const ChannelGroups& extent, Tensor dz, View dy, View x,
                   View mean, View rstd, View gamma, View beta) {
  if (on_device(stream))
    return device<&channel_dsilu>(stream, extent, dz, dy, x, mean, rstd, gamma, beta);
  channel_normalise(stream, extent, dz, x, mean, rstd, gamma, beta);
  activation_dgrad(stream, Activation::silu, dz, dy, dz);
}

void channel_sums(const Stream& stream, const ChannelGroups& extent, Tensor sums,
                  Workspace workspace, View dy, View x, View mean, View rstd) {
  if (on_device(stream))
    return device<&channel_sums>(stream, extent, sums, workspace, dy, x, mean, rstd);
  if (fast::channel_sums(stream, extent, sums, workspace, dy, x, mean, rstd)) return;
  for_float(x.dtype, [&]<class T>(T) {
    using A = Accumulator<T>;
    channel_totals(stream, extent, sums.as<A>(), dy.as<T>(), x.as<T>(), mean.as<A>(), rstd.as<A>());
  });
}

void channel_dgrad(const Stream& stream, const ChannelGroups& extent, bool through_statistics,
                   Tensor dx, Workspace workspace, View dy, View x, View mean, View rstd,
                   View gamma, View sums) {
  if (on_device(stream))
    return device<&channel_dgrad>(stream, extent, through_statistics, dx, workspace, dy, x, mean,
                                  rstd, gamma, sums);
  if (fast::channel_dgrad(stream, extent, through_statistics, dx, dy, x, mean, rstd, gamma, sums))
    return;
  for_float(x.dtype, [&]<class T>(T) {
    using A = Accumulator<T>;
    dgrad(stream, extent, through_statistics, dx.as<T>(), dy.as<T>(), x.as<T>(), mean.as<A>(),
          rstd.as<A>(), gamma.as<A>(), sums.as<A>());
  });
}

Bytes channel_workspace(const Stream& stream, const ChannelGroups& extent) {
  if (on_device(stream)) return device<&channel_workspace>(stream, extent);
  return partial_sums_workspace<double>(stream, 2 * extent.channels);
}

void channel_wgrad(const Stream& stream, const ChannelGroups& extent, Tensor dgamma, Tensor dbeta,
                   View sums) {
  if (on_device(stream)) return device<&channel_wgrad>(stream, extent, dgamma, dbeta, sums);
  for_float(sums.dtype, [&]<class T>(T) {
    using A = Accumulator<T>;
    for (Index s = 0; s < extent.samples; ++s) {
      const A* sum = sums.as<A>() + s * 2 * extent.channels;
      for (Index c = 0; c < extent.channels; ++c) {
        dbeta.as<A>()[c] += sum[c];
        dgamma.as<A>()[c] += sum[extent.channels + c];
      }
    }
  });
}

}  // namespace framefold

#include "kernels/channel_norm.cuh"

#include "kernels/device/map.cuh"
#include "kernels/device/map_columns.cuh"

namespace framefold {
namespace gpu {
namespace {

struct ReciprocalDeviation {
  float eps;
  __device__ __forceinline__ float operator()(Index, float var) const {
    return 1 / sqrtf(var + eps);
  }
};

struct Running {
  float momentum, unbias;
  __device__ __forceinline__ float operator()(Index, float running, float batch) const {
    return running + momentum * (batch * unbias - running);
  }
};

ColumnExtent columns_of(const ChannelGroups& extent) {
  return {extent.samples, extent.rows, extent.channels};
}

Grid grid_of(Index count) {
  return {{blocks_of(divide_up(count, column_threads))}, {column_threads}};
}

Index sums_size(const ChannelGroups& extent) { return extent.samples * 2 * extent.channels; }

void channel_statistics(const Stream& stream, const ChannelGroups& extent, Tensor mean, Tensor var,
                        Workspace workspace, View x) {
  const Index groups = extent.samples * extent.groups;
  auto* sums = workspace.take<float>(sums_size(extent));
  const KeepSums keep{sums, extent.channels};
  for_device_float(x.dtype, [&]<class T>(T) {
    const T* from = x.as<T>();
    for (const bool first : {true, false}) {
      const auto run = [&]<int N>(std::integral_constant<int, N>) {
        sum_columns(stream, MomentTerms<T, N>{extent, from, first ? nullptr : mean.as<float>()},
                    keep, columns_of(extent), workspace);
      };
      if (aligned(from) && extent.channels % pack_of<T> == 0)
        run(std::integral_constant<int, pack_of<T>>{});
      else
        run(std::integral_constant<int, 1>{});
      launch<&join_moments>(stream, grid_of(groups), extent, first, mean.as<float>(),
                            var.as<float>(), sums);
    }
  });
}

void channel_rstd(const Stream& stream, Tensor rstd, View var, float eps) {
  map(stream, ReciprocalDeviation{eps}, var.size(), rstd.as<float>(), var.as<float>());
}

void channel_running(const Stream& stream, Tensor running, View batch, double momentum,
                     double unbias) {
  const float* before = running.as<float>();
  map(stream, Running{static_cast<float>(momentum), static_cast<float>(unbias)}, batch.size(),
      running.as<float>(), before, batch.as<float>());
}

void channel_normalise(const Stream& stream, const ChannelGroups& extent, Tensor y, View x,
                       View mean, View rstd, View gamma, View beta, bool silu) {
  const Normalise normalise{
      extent, mean.as<float>(), rstd.as<float>(), gamma.as<float>(), beta.as<float>(), silu};
  for_device_float(x.dtype, [&]<class T>(T) {
    map_columns(stream, normalise, columns_of(extent), y.as<T>(), x.as<T>());
  });
}

void channel_dsilu(const Stream& stream, const ChannelGroups& extent, Tensor dz, View dy, View x,
                   View mean, View rstd, View gamma, View beta) {
  const Normalise normalise{
      extent, mean.as<float>(), rstd.as<float>(), gamma.as<float>(), beta.as<float>(), true};
  for_device_float(x.dtype, [&]<class T>(T) {
    map_columns(stream, normalise, columns_of(extent), dz.as<T>(), dy.as<T>(), x.as<T>());
  });
}

void channel_sums(const Stream& stream, const ChannelGroups& extent, Tensor sums,
                  Workspace workspace, View dy, View x, View mean, View rstd) {
  const KeepSums keep{sums.as<float>(), extent.channels};
  for_device_float(x.dtype, [&]<class T>(T) {
    const T* g = dy.as<T>();
    const T* from = x.as<T>();
    const auto run = [&]<int N>(std::integral_constant<int, N>) {
      sum_columns(stream, CotangentTerms<T, N>{extent, g, from, mean.as<float>(), rstd.as<float>()},
                  keep, columns_of(extent), workspace);
    };
    if (aligned(g, from) && extent.channels % pack_of<T> == 0)
      run(std::integral_constant<int, pack_of<T>>{});
    else
      run(std::integral_constant<int, 1>{});
  });
}

void channel_dgrad(const Stream& stream, const ChannelGroups& extent, bool through_statistics,
                   Tensor dx, Workspace workspace, View dy, View x, View mean, View rstd,
                   View gamma, View sums) {
  const Index groups = extent.samples * extent.groups;
  float* means = through_statistics ? workspace.take<float>(2 * groups) : nullptr;
  if (means)
    launch<&join_cotangents>(stream, grid_of(groups), extent, means, gamma.as<float>(),
                             sums.as<float>());
  const NormaliseGradient gradient{extent, mean.as<float>(), rstd.as<float>(), gamma.as<float>(),
                                   means};
  for_device_float(x.dtype, [&]<class T>(T) {
    map_columns(stream, gradient, columns_of(extent), dx.as<T>(), dy.as<T>(), x.as<T>());
  });
}

void channel_wgrad(const Stream& stream, const ChannelGroups& extent, Tensor dgamma, Tensor dbeta,
                   View sums) {
  launch<&add_samples>(stream, grid_of(extent.channels), extent.samples, extent.channels,
                       dgamma.as<float>(), dbeta.as<float>(), sums.as<float>());
}

Bytes channel_workspace(const Stream&, const ChannelGroups& extent) {
  return Workspace::padded(static_cast<Bytes>(sums_size(extent)) * sizeof(float)) +
         column_workspace(columns_of(extent), 2);
}

const OnDevice<&framefold::channel_statistics> statistics_path(channel_statistics);
const OnDevice<&framefold::channel_rstd> rstd_path(channel_rstd);
const OnDevice<&framefold::channel_running> running_path(channel_running);
const OnDevice<&framefold::channel_normalise> normalise_path(channel_normalise);
const OnDevice<&framefold::channel_dsilu> dsilu_path(channel_dsilu);
const OnDevice<&framefold::channel_sums> sums_path(channel_sums);
const OnDevice<&framefold::channel_dgrad> dgrad_path(channel_dgrad);
const OnDevice<&framefold::channel_wgrad> wgrad_path(channel_wgrad);
const OnDevice<&framefold::channel_workspace> workspace_path(channel_workspace);

}  // namespace
}  // namespace gpu
}  // namespace framefold

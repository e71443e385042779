// Device code of batch and group normalisation. Memory-bound; floors: statistics one read of x each
// of their two passes (the second takes the first one's mean off, so that a mean far above the
// deviation costs no digits), normalise one read and one write, sums two reads, dgrad two reads and
// one write. Shares reached: not measured.
#pragma once

#include "kernels/channel_norm.h"
#include "kernels/device/columns.cuh"
#include "kernels/device/formula.cuh"

namespace framefold::gpu {

__device__ __forceinline__ Index group_of(const ChannelGroups& extent, Index sample,
                                          Index channel) {
  return sample * extent.groups + channel / extent.channels_of_group();
}

// Sums of x - shift and of its square; a shift that is null is 0.
template <class T, int width>
struct MomentTerms {
  static constexpr int N = width;
  static constexpr int sums = 2;
  ChannelGroups extent;
  const T* x;
  const float* shift;

  __device__ __forceinline__ void operator()(Index row, Index column, float (&sum)[2][N]) const {
    float values[N];
    load(values, x + row * extent.channels + column);
    for (int i = 0; i < N; ++i) {
      const float d =
          shift ? values[i] - shift[group_of(extent, row / extent.rows, column + i)] : values[i];
      sum[0][i] += d;
      sum[1][i] += d * d;
    }
  }
};

// Sums of dy and of dy n.
template <class T, int width>
struct CotangentTerms {
  static constexpr int N = width;
  static constexpr int sums = 2;
  ChannelGroups extent;
  const T *dy, *x;
  const float *mean, *rstd;

  __device__ __forceinline__ void operator()(Index row, Index column, float (&sum)[2][N]) const {
    float g[N];
    float values[N];
    load(g, dy + row * extent.channels + column);
    load(values, x + row * extent.channels + column);
    for (int i = 0; i < N; ++i) {
      const Index group = group_of(extent, row / extent.rows, column + i);
      sum[0][i] += g[i];
      sum[1][i] += g[i] * (values[i] - mean[group]) * rstd[group];
    }
  }
};

// [S, 2, C]
struct KeepSums {
  float* to;
  Index channels;

  __device__ __forceinline__ void operator()(Index sample, Index column,
                                             const float (&sum)[2]) const {
    for (int o = 0; o < 2; ++o) to[(sample * 2 + o) * channels + column] = sum[o];
  }
};

// Calls body(sample, first channel) for the group of this thread.
template <class Body>
__device__ __forceinline__ void for_group(const ChannelGroups& extent, Index& group, Body&& body) {
  group = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (group < extent.samples * extent.groups)
    body(group / extent.groups * 2 * extent.channels,
         group % extent.groups * extent.channels_of_group());
}

// From the sums of x - mean and their squares: the mean moves by the first pass's sums, the second
// one's correct it and make the variance.
__global__ void __launch_bounds__(column_threads)
    join_moments(ChannelGroups extent, bool first, float* mean, float* var, const float* sums) {
  Index group = 0;
  for_group(extent, group, [&](Index sample, Index channel) {
    const auto count = static_cast<double>(extent.rows * extent.channels_of_group());
    double offset = 0;
    double square = 0;
    for (Index c = channel; c < channel + extent.channels_of_group(); ++c) {
      offset += static_cast<double>(sums[sample + c]);
      square += static_cast<double>(sums[sample + extent.channels + c]);
    }
    offset /= count;
    mean[group] = static_cast<float>(first ? offset : static_cast<double>(mean[group]) + offset);
    const double spread = square / count - offset * offset;
    if (!first) var[group] = static_cast<float>(spread > 0 ? spread : 0);
  });
}

// means [S G, 2]: of dy gamma and of dy gamma n over each group.
__global__ void __launch_bounds__(column_threads)
    join_cotangents(ChannelGroups extent, float* means, const float* gamma, const float* sums) {
  Index group = 0;
  for_group(extent, group, [&](Index sample, Index channel) {
    const auto count = static_cast<float>(extent.rows * extent.channels_of_group());
    float g = 0;
    float gn = 0;
    for (Index c = channel; c < channel + extent.channels_of_group(); ++c) {
      g += gamma[c] * sums[sample + c];
      gn += gamma[c] * sums[sample + extent.channels + c];
    }
    means[2 * group] = g / count;
    means[2 * group + 1] = gn / count;
  });
}

// dbeta and dgamma from the samples' sums, in their order.
__global__ void __launch_bounds__(column_threads)
    add_samples(Index samples, Index channels, float* dgamma, float* dbeta, const float* sums) {
  const Index c = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (c >= channels) return;
  for (Index s = 0; s < samples; ++s) {
    dbeta[c] += sums[s * 2 * channels + c];
    dgamma[c] += sums[(s * 2 + 1) * channels + c];
  }
}

struct Normalise {
  struct Column {
    float mean, scale, shift;
  };
  ChannelGroups extent;
  const float *mean, *rstd, *gamma, *beta;
  bool silu;

  __device__ __forceinline__ Column column(Index sample, Index c) const {
    const Index group = group_of(extent, sample, c);
    return {mean[group], rstd[group] * gamma[c], beta[c]};
  }
  __device__ __forceinline__ float operator()(const Column& of, float x) const {
    const float z = (x - of.mean) * of.scale + of.shift;
    return silu ? z * DeviceMath::sigmoid(z) : z;
  }
  // The gradient before SiLU.
  __device__ __forceinline__ float operator()(const Column& of, float dy, float x) const {
    const float z = (x - of.mean) * of.scale + of.shift;
    const float s = DeviceMath::sigmoid(z);
    return dy * s * (1 + z * (1 - s));
  }
};

struct NormaliseGradient {
  struct Column {
    float mean, rstd, gamma, mean_g, mean_gn;
  };
  ChannelGroups extent;
  const float *mean, *rstd, *gamma;
  const float* means;  // null: the statistics do not depend on x

  __device__ __forceinline__ Column column(Index sample, Index c) const {
    const Index group = group_of(extent, sample, c);
    return {mean[group], rstd[group], gamma[c], means ? means[2 * group] : 0.0F,
            means ? means[2 * group + 1] : 0.0F};
  }
  __device__ __forceinline__ float operator()(const Column& of, float dy, float x) const {
    const float n = (x - of.mean) * of.rstd;
    return of.rstd * (dy * of.gamma - of.mean_g - n * of.mean_gn);
  }
};

}  // namespace framefold::gpu

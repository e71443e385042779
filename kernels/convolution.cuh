// Device code of convolutions: device/tile.cuh's kernel, whose operands find their elements in
// clips and weights, so nothing is unfolded into memory. Compute-bound; the floor is
// Convolution::flops(). Share reached: not measured.
#pragma once

#include "kernels/convolution.h"
#include "kernels/matmul.cuh"

namespace framefold::gpu {

struct Place {  // on one side, or a tap
  int t, h, w;
};

__device__ __forceinline__ Place place_of(Index i, const Extents& extents) {
  return {static_cast<int>(i / extents[2] / extents[1] % extents[0]),
          static_cast<int>(i / extents[2] % extents[1]), static_cast<int>(i % extents[2])};
}

__device__ __forceinline__ Index positions_of(const Extents& extents) {
  return extents[0] * extents[1] * extents[2];
}

// The first fine position that a coarse one meets, along one axis.
__device__ __forceinline__ int reach(const Convolution& c, int axis, int coarse) {
  return static_cast<int>(c.stride[axis] * coarse - c.padding[axis]);
}

template <class T>
__device__ __forceinline__ const T* fine_element(const Convolution& c, const T* sample, Place base,
                                                 Place tap, Index channel) {
  const Index t = base.t + c.dilation[0] * tap.t;
  const Index h = base.h + c.dilation[1] * tap.h;
  const Index w = base.w + c.dilation[2] * tap.w;
  if (t < 0 || t >= c.fine[0] || h < 0 || h >= c.fine[1] || w < 0 || w >= c.fine[2]) return nullptr;
  return sample + ((t * c.fine[1] + h) * c.fine[2] + w) * c.fine_channels + channel;
}

struct TapChannel {
  Place tap;
  Index channel;  // of the group
};

__device__ __forceinline__ TapChannel tap_channel(const Convolution& c, Index i, Index channels) {
  return {place_of(i / channels, c.kernel), i % channels};
}

// The fine values that coarse position i sums: k is a tap and a channel.
template <class T>
struct FineByCoarse {
  const T* fine;
  Convolution c;
  static constexpr bool k_fast = true;
  static constexpr bool copied = std::is_same_v<T, float>;

  struct Row {
    const T* sample;
    Place base;
  };
  __device__ __forceinline__ Row row(Index g, Index i) const {
    const Place at = place_of(i, c.coarse);
    const Index b = i / positions_of(c.coarse);
    return {fine + b * positions_of(c.fine) * c.fine_channels + g * c.fine_group(),
            {reach(c, 0, at.t), reach(c, 1, at.h), reach(c, 2, at.w)}};
  }
  __device__ __forceinline__ TapChannel step(Index k) const {
    return tap_channel(c, k, c.fine_group());
  }
  __device__ __forceinline__ const T* at(const Row& row, const TapChannel& step) const {
    return fine_element(c, row.sample, row.base, step.tap, step.channel);
  }
};

// The coarse values that fine position i sums: k is a tap and a channel.
template <class T>
struct CoarseByFine {
  const T* coarse;
  Convolution c;
  static constexpr bool k_fast = true;
  static constexpr bool copied = std::is_same_v<T, float>;

  struct Row {
    const T* sample;
    Place at;
  };
  __device__ __forceinline__ Row row(Index g, Index i) const {
    const Index b = i / positions_of(c.fine);
    return {coarse + b * positions_of(c.coarse) * c.coarse_channels + g * c.coarse_group(),
            place_of(i, c.fine)};
  }
  __device__ __forceinline__ TapChannel step(Index k) const {
    return tap_channel(c, k, c.coarse_group());
  }
  // The coarse position that meets the fine one by this tap, or -1.
  __device__ __forceinline__ Index meeting(int axis, int fine, int tap) const {
    const Index reached = fine + c.padding[axis] - c.dilation[axis] * tap;
    if (reached < 0) return -1;
    const auto stride = static_cast<unsigned>(c.stride[axis]);
    const unsigned position = static_cast<unsigned>(reached) / stride;
    if (position * stride != static_cast<unsigned>(reached)) return -1;
    return position < c.coarse[axis] ? Index{position} : Index{-1};
  }
  __device__ __forceinline__ const T* at(const Row& row, const TapChannel& step) const {
    const Index t = meeting(0, row.at.t, step.tap.t);
    const Index h = meeting(1, row.at.h, step.tap.h);
    const Index w = meeting(2, row.at.w, step.tap.w);
    if (t < 0 || h < 0 || w < 0) return nullptr;
    return row.sample + ((t * c.coarse[1] + h) * c.coarse[2] + w) * c.coarse_channels +
           step.channel;
  }
};

// The weights of fine channel j: k is a tap and a coarse channel.
struct WeightByFine {
  const float* weight;
  Convolution c;
  static constexpr bool k_fast = true;
  static constexpr bool copied = true;

  __device__ __forceinline__ const float* row(Index g, Index j) const {
    return weight + j * c.coarse_channels + g * c.coarse_group();
  }
  __device__ __forceinline__ Index step(Index k) const {
    return k / c.coarse_group() * c.fine_group() * c.coarse_channels + k % c.coarse_group();
  }
  __device__ __forceinline__ const float* at(const float* row, Index step) const {
    return row + step;
  }
};

// The fine values that weight row i, a tap and a channel, meets: k is a coarse position.
template <class T>
struct FineByWeight {
  const T* fine;
  Convolution c;
  static constexpr bool k_fast = false;
  static constexpr bool copied = std::is_same_v<T, float>;

  using Row = TapChannel;  // the channel among all groups'
  struct Step {
    const T* sample;
    Place base;
  };
  __device__ __forceinline__ Row row(Index g, Index i) const {
    const TapChannel of_group = tap_channel(c, i, c.fine_group());
    return {of_group.tap, g * c.fine_group() + of_group.channel};
  }
  __device__ __forceinline__ Step step(Index k) const {
    const Place at = place_of(k, c.coarse);
    const Index b = k / positions_of(c.coarse);
    return {fine + b * positions_of(c.fine) * c.fine_channels,
            {reach(c, 0, at.t), reach(c, 1, at.h), reach(c, 2, at.w)}};
  }
  __device__ __forceinline__ const T* at(const Row& row, const Step& step) const {
    return fine_element(c, step.sample, step.base, row.tap, row.channel);
  }
};

// Rows are positions, columns the channels of a group.
template <class T>
struct StorePositions {
  T* to;
  Index channels, group;
  const float* bias;
  Activation activation;

  __device__ __forceinline__ void operator()(unsigned, Index g, Index i, Index j, float sum) const {
    const Index channel = g * group + j;
    if (bias) sum += bias[channel];
    to[i * channels + channel] = from_f32<T>(activate(activation, sum));
  }
};

// weight += sum.
struct StoreWeight {
  float* weight;
  Index channels, group;

  __device__ __forceinline__ void operator()(unsigned, Index g, Index i, Index j, float sum) const {
    weight[i * channels + g * group + j] += sum;
  }
};

}  // namespace framefold::gpu

// Device code of pooling: a thread makes 16 bytes of neighbouring channels. Memory-bound; floors:
// mean one read and one write, max that and the numbers of the maxima. Shares reached: not
// measured.
#pragma once

#include "kernels/device/divide.cuh"
#include "kernels/device/pack.cuh"  // first: it lets the geometry run on both sides

#include "kernels/pool3d.h"

namespace framefold::gpu {

constexpr int pool_threads = 256;

// The outputs (or inputs, backward) of a thread: one position, the pack's channels.
struct PoolPlace {
  Index b, t, h, w, channel;
};

// Threads number the packs of clips of these extents.
class PoolPlaces {
 public:
  PoolPlaces(const Extents& extents, Index channels, int N)
      : packs_(channels / N), w_(extents[2]), h_(extents[1]), t_(extents[0]), width_(N) {}

  __device__ __forceinline__ PoolPlace operator()(Index i) const {
    const Index position = packs_(i);
    const Index row = w_(position);
    const Index frame = h_(row);
    const Index b = t_(frame);
    return {b, frame - b * t_.by, row - frame * h_.by, position - row * w_.by,
            (i - position * packs_.by) * width_};
  }

 private:
  Divisor packs_, w_, h_, t_;
  int width_;
};

// PoolGeometry::covering, by divisors of the strides.
class PoolCovering {
 public:
  explicit PoolCovering(const PoolGeometry& g)
      : t_(g.pool.stride[0]), h_(g.pool.stride[1]), w_(g.pool.stride[2]) {}

  __device__ __forceinline__ PoolBox operator()(const PoolGeometry& g, const PoolPlace& at) const {
    return {span(g, 0, t_, at.t), span(g, 1, h_, at.h), span(g, 2, w_, at.w), g.out};
  }

 private:
  __device__ __forceinline__ static Span span(const PoolGeometry& g, int axis,
                                              const Divisor& stride, Index i) {
    const Index past = i + g.pool.padding[axis];
    const Index from = past - g.pool.kernel[axis];
    const Index end = stride(past) + 1;
    return {from < 0 ? 0 : stride(from) + 1, end < g.out[axis] ? end : g.out[axis]};
  }

  Divisor t_, h_, w_;
};

__device__ __forceinline__ Index positions_in(const Extents& extents) {
  return extents[0] * extents[1] * extents[2];
}

template <class T, int N>
__global__ void __launch_bounds__(pool_threads, 3)
    max_pool_packs(PoolGeometry g, PoolPlaces places, Index count, T* y, std::int32_t* argmax,
                   const T* x) {
  const Index i = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= count) return;
  const PoolPlace at = places(i);
  const T* sample = x + at.b * positions_in(g.in) * g.channels + at.channel;
  float best[N] = {};
  Pack<std::int32_t, N> where;
  for (int k = 0; k < N; ++k) where.at[k] = -1;
  g.window(at.t, at.h, at.w).for_each([&](Index position) {
    float values[N];
    load(values, sample + position * g.channels);
    for (int k = 0; k < N; ++k)
      if (where.at[k] < 0 || values[k] > best[k] || values[k] != values[k]) {
        best[k] = values[k];
        where.at[k] = static_cast<std::int32_t>(position);
      }
  });
  store(y + i * N, best);
  *reinterpret_cast<Pack<std::int32_t, N>*>(argmax + i * N) = where;
}

template <class T, int N>
__global__ void __launch_bounds__(pool_threads, 3)
    max_pool_dgrad_packs(PoolGeometry g, PoolPlaces places, PoolCovering covering, Index count,
                         T* dx, const T* dy, const std::int32_t* argmax) {
  const Index i = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= count) return;
  const PoolPlace at = places(i);
  const Index first = at.b * positions_in(g.out) * g.channels + at.channel;
  const Index position = (at.t * g.in[1] + at.h) * g.in[2] + at.w;
  float sum[N] = {};
  covering(g, at).for_each([&](Index output) {
    const Index from = first + output * g.channels;
    const auto where = *reinterpret_cast<const Pack<std::int32_t, N>*>(argmax + from);
    float cotangents[N];
    load(cotangents, dy + from);
    for (int k = 0; k < N; ++k)
      if (where.at[k] == position) sum[k] += cotangents[k];
  });
  store(dx + i * N, sum);
}

// Forward averages windows; backward sums, with the same factor, over the windows that cover.
template <class T, int N>
__global__ void __launch_bounds__(pool_threads, 3)
    mean_pool_packs(PoolGeometry g, PoolPlaces places, PoolCovering covering, bool backward,
                    Index count, T* to, const T* from) {
  const Index i = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= count) return;
  const PoolPlace at = places(i);
  const T* sample = from + at.b * positions_in(backward ? g.out : g.in) * g.channels + at.channel;
  const PoolBox box = backward ? covering(g, at) : g.window(at.t, at.h, at.w);
  float sum[N] = {};
  box.for_each([&](Index position) {
    float values[N];
    load(values, sample + position * g.channels);
    for (int k = 0; k < N; ++k) sum[k] += values[k];
  });
  for (int k = 0; k < N; ++k) sum[k] /= static_cast<float>(g.volume());
  store(to + i * N, sum);
}

// Calls run(N, packs of the tensor) for one of `elements` elements; `alike`: its addresses allow
// packs.
template <class T, class Run>
void with_channel_packs(Index channels, Index elements, bool alike, Run&& run) {
  if (alike && channels % pack_of<T> == 0)
    run(std::integral_constant<int, pack_of<T>>{}, elements / pack_of<T>);
  else
    run(std::integral_constant<int, 1>{}, elements);
}

inline Grid pool_grid(Index count) {
  return {{blocks_of(divide_up(count, pool_threads))}, {pool_threads}};
}

}  // namespace framefold::gpu

// Device code of pooling: a thread makes 16 bytes of neighbouring channels. Memory-bound; floors:
// mean one read and one write, max that and the numbers of the maxima. Shares reached: not
// measured.
#pragma once

#include "kernels/device/pack.cuh"  // first: it lets the geometry run on both sides

#include "kernels/pool3d.h"

namespace framefold::gpu {

constexpr int pool_threads = 256;

// The outputs (or inputs, backward) of thread i: one position, N channels.
struct PoolPlace {
  Index b, t, h, w, channel;

  __device__ __forceinline__ PoolPlace(Index i, const Extents& extents, Index packs, int N)
      : channel(i % packs * N) {
    i /= packs;
    w = i % extents[2];
    h = i / extents[2] % extents[1];
    t = i / extents[2] / extents[1] % extents[0];
    b = i / extents[2] / extents[1] / extents[0];
  }
};

__device__ __forceinline__ Index positions_in(const Extents& extents) {
  return extents[0] * extents[1] * extents[2];
}

template <class T, int N>
__global__ void __launch_bounds__(pool_threads)
    max_pool_packs(PoolGeometry g, Index count, T* y, std::int32_t* argmax, const T* x) {
  const Index i = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= count) return;
  const PoolPlace at(i, g.out, g.channels / N, N);
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
__global__ void __launch_bounds__(pool_threads)
    max_pool_dgrad_packs(PoolGeometry g, Index count, T* dx, const T* dy,
                         const std::int32_t* argmax) {
  const Index i = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= count) return;
  const PoolPlace at(i, g.in, g.channels / N, N);
  const Index first = at.b * positions_in(g.out) * g.channels + at.channel;
  const Index position = (at.t * g.in[1] + at.h) * g.in[2] + at.w;
  float sum[N] = {};
  g.covering(at.t, at.h, at.w).for_each([&](Index output) {
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
__global__ void __launch_bounds__(pool_threads)
    mean_pool_packs(PoolGeometry g, bool backward, Index count, T* to, const T* from) {
  const Index i = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= count) return;
  const PoolPlace at(i, backward ? g.in : g.out, g.channels / N, N);
  const T* sample = from + at.b * positions_in(backward ? g.out : g.in) * g.channels + at.channel;
  const PoolBox box = backward ? g.covering(at.t, at.h, at.w) : g.window(at.t, at.h, at.w);
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

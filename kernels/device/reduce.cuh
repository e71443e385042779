// Sums and maxima over the threads of a warp or a block, in an order that never changes: every
// thread gets the result.
#pragma once

#include "kernels/device/gpu.cuh"

namespace framefold::gpu {

struct Plus {
  template <class T>
  __device__ __forceinline__ T operator()(T a, T b) const {
    return a + b;
  }
};
struct Greater {
  __device__ __forceinline__ float operator()(float a, float b) const { return a < b ? b : a; }
};

template <class T, class Join>
__device__ __forceinline__ T warp_all(T value, Join join) {
#pragma unroll
  for (int bits = warp_size / 2; bits > 0; bits /= 2)
    value = join(value, __shfl_xor_sync(all_lanes, value, bits));
  return value;
}

// Of one warp, or of a block of `threads` threads.
template <int threads, class T, class Join>
__device__ __forceinline__ T all_of(T value, Join join) {
  value = warp_all(value, join);
  if constexpr (threads > warp_size) {
    constexpr unsigned warps = threads / warp_size;
    FRAMEFOLD_SHARED(T, of_warps, [warps]);
    __syncthreads();  // of_warps may still be read from the last time
    if (threadIdx.x % warp_size == 0) of_warps[threadIdx.x / warp_size] = value;
    __syncthreads();
    value = of_warps[0];
#pragma unroll
    for (unsigned w = 1; w < warps; ++w) value = join(value, of_warps[w]);
  }
  return value;
}

template <int threads, class T>
__device__ __forceinline__ T sum_of_all(T value) {
  return all_of<threads>(value, Plus{});
}

}  // namespace framefold::gpu

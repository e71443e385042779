// Device code of sums over axes that are not neighbours, and of their gradient; those over
// neighbours are sums of columns. Memory-bound; the floor is one read of x.
#pragma once

#include "kernels/device/reduce.cuh"
#include "kernels/permute.cuh"

namespace framefold::gpu {

constexpr int reduce_threads = 128;

// Where element `index` of axes stands.
__device__ __forceinline__ Index position_of(const WordAxes& axes, Index index) {
  Index at = 0;
  for (int a = axes.count - 1; a >= 0; --a) {
    at += index % axes.extent[a] * axes.step[a];
    index /= axes.extent[a];
  }
  return at;
}

// A block for each sum; `axes` has the terms of one sum side by side.
template <class T>
__global__ void __launch_bounds__(reduce_threads)
    reduce_scattered(WordAxes axes, Index terms, float scale, T* y, const T* x) {
  float sum = 0;
  for (Index term = threadIdx.x; term < terms; term += reduce_threads)
    sum += to_f32(x[position_of(axes, blockIdx.x * terms + term)]);
  sum = sum_of_all<reduce_threads>(sum);
  if (threadIdx.x == 0) y[blockIdx.x] = from_f32<T>(scale * sum);
}

template <class T>
struct StoreColumns {
  T* y;
  Index columns;
  float scale;

  __device__ __forceinline__ void operator()(Index sample, Index column,
                                             const float (&sum)[1]) const {
    y[sample * columns + column] = from_f32<T>(scale * sum[0]);
  }
};

// dx[i] = scale dy[the sum that i is a term of]; `axes` are those of x with dy's steps.
template <class T>
struct SpreadGradient {
  WordAxes axes;
  float scale;
  const T* dy;

  __device__ __forceinline__ float operator()(Index i) const {
    return scale * to_f32(dy[position_of(axes, i)]);
  }
};

}  // namespace framefold::gpu

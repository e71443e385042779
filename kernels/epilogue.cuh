// Device code of the epilogue's backward: dz and the terms of dbias in one pass. Memory-bound; the
// floor is two reads and one write. Share reached: not measured.
#pragma once

#include "kernels/activation.cuh"
#include "kernels/device/columns.cuh"

namespace framefold::gpu {

// Without an activation dz and y are null: dz is dy.
template <class T, int width>
struct EpilogueTerms {
  static constexpr int N = width;
  static constexpr int sums = 1;
  Activation activation;
  T* dz;
  const T* dy;
  const T* y;
  Index C;

  __device__ __forceinline__ void operator()(Index row, Index column, float (&sum)[1][N]) const {
    float g[N];
    load(g, dy + row * C + column);
    if (y) {
      float from[N];
      load(from, y + row * C + column);
      for (int i = 0; i < N; ++i) g[i] *= activation_derivative(activation, from[i]);
    }
    if (dz) store(dz + row * C + column, g);
    for (int i = 0; i < N; ++i) sum[0][i] += g[i];
  }
};

}  // namespace framefold::gpu

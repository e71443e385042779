// Device code of sums: device/map.cuh's and device/map_columns.cuh's kernels over these functions.
#pragma once

#include "kernels/device/map.cuh"
#include "kernels/device/map_columns.cuh"

namespace framefold::gpu {

struct Sum {
  __device__ __forceinline__ float operator()(Index, float x, float b) const { return x + b; }
};

struct AddBias {
  using Column = float;
  const float* bias;

  __device__ __forceinline__ float column(Index, Index c) const { return bias[c]; }
  __device__ __forceinline__ float operator()(float b, float x) const { return x + b; }
};

// The terms of db.
template <class T, int width>
struct RowTerms {
  static constexpr int N = width;
  static constexpr int sums = 1;
  const T* dy;
  Index C;

  __device__ __forceinline__ void operator()(Index row, Index column, float (&sum)[1][N]) const {
    float g[N];
    load(g, dy + row * C + column);
    for (int i = 0; i < N; ++i) sum[0][i] += g[i];
  }
};

}  // namespace framefold::gpu

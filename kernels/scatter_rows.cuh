// Device code of scattering rows. Memory-bound; the floor is one read of x and one write of y.
// Share reached: not measured.
#pragma once

#include "kernels/device/columns.cuh"

namespace framefold::gpu {

// Which m stands at row n of its sample, or -1; of a number that stands twice, the last.
__global__ void __launch_bounds__(256)
    find_sources(Index rows, Index picks, Index count, std::int32_t* source,
                 const std::int32_t* index) {
  const Index i = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= count) return;
  const std::int32_t* own = index + i / rows * picks;
  std::int32_t found = -1;
  for (Index m = 0; m < picks; ++m)
    if (own[m] == i % rows) found = static_cast<std::int32_t>(m);
  source[i] = found;
}

// back: from y's rows to x's, which leaves out those of the token; else from x's to all of y's.
template <class T, int N, bool back>
__global__ void __launch_bounds__(256)
    scatter_packs(Index packs, Index rows, Index picks, Index count, T* to, const T* from,
                  const std::int32_t* source, const float* token) {
  const Index i = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= count * packs) return;
  const Index row = i / packs;
  const Index column = i % packs * N;
  const Index of_y = row * packs * N + column;
  const Index of_x = (row / rows * picks + source[row]) * packs * N + column;
  float values[N] = {};
  if (back) {
    if (source[row] < 0) return;
    load(values, from + of_y);
    store(to + of_x, values);
  } else {
    if (source[row] >= 0)
      load(values, from + of_x);
    else if (token)
      load(values, token + column);
    store(to + of_y, values);
  }
}

// The terms of dtoken.
template <class T, int width>
struct TokenTerms {
  static constexpr int N = width;
  static constexpr int sums = 1;
  const T* dy;
  const std::int32_t* source;
  Index C;

  __device__ __forceinline__ void operator()(Index row, Index column, float (&sum)[1][N]) const {
    if (source[row] >= 0) return;
    float g[N];
    load(g, dy + row * C + column);
    for (int i = 0; i < N; ++i) sum[0][i] += g[i];
  }
};

}  // namespace framefold::gpu

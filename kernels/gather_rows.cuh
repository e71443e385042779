// Device code of gathering rows. Memory-bound; floors: forward one read and one write of y, dgrad
// one read of dy and one write of dx. Shares reached: not measured.
#pragma once

#include "kernels/device/words.cuh"

namespace framefold::gpu {

// A number that is no row of x gives zeros.
template <class Word>
__global__ void __launch_bounds__(256)
    gather_words(Index words, Index rows, Index picks, Index count, Word* y, const Word* x,
                 const std::int32_t* index) {
  const Index i = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= count * words) return;
  const Index pick = i / words;
  const std::int32_t row = index[pick];
  const bool known = row >= 0 && row < rows;
  y[i] = known ? x[(pick / picks * rows + row) * words + i % words] : Word{};
}

// Every row of dx looks for its picks, in their order: no sums meet in memory.
template <class T, int N>
__global__ void __launch_bounds__(256)
    gather_dgrad_packs(Index packs, Index rows, Index picks, Index count, T* dx, const T* dy,
                       const std::int32_t* index) {
  const Index i = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= count * packs) return;
  const Index row = i / packs;
  const Index column = i % packs * N;
  const Index first = row / rows * picks;
  float sum[N] = {};
  for (Index pick = first; pick < first + picks; ++pick) {
    if (index[pick] != row % rows) continue;
    float g[N];
    load(g, dy + pick * packs * N + column);
    for (int k = 0; k < N; ++k) sum[k] += g[k];
  }
  store(dx + row * packs * N + column, sum);
}

}  // namespace framefold::gpu

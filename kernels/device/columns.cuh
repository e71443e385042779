// Sums over the rows of [S, R, C], column by column: parameters' gradients and the statistics of
// channels. Blocks sum parts of the rows into the workspace, then a second kernel adds the parts in
// their order: deterministic, and the same for every device. The first kernel is memory-bound: its
// floor is one read of what the terms are made of.
#pragma once

#include "kernels/device/pack.cuh"

namespace framefold::gpu {

struct ColumnExtent {
  Index samples, rows, columns;
};

constexpr int column_threads = 256;

// Parts that the rows of a sample are cut into.
constexpr Index column_parts(Index rows) {
  constexpr Index rows_of_part = 64;
  constexpr Index most = 128;
  const Index parts = divide_up(rows, rows_of_part);
  return parts < 1 ? 1 : (parts > most ? most : parts);
}

// Terms: `sums` totals a column, `N` columns at once; terms(row, column, sum) adds a row's terms.
// A block is blockDim.x packs of columns wide and blockDim.y rows high.
template <class Terms>
__global__ void __launch_bounds__(column_threads)
    sum_column_parts(Terms terms, ColumnExtent extent, Index parts, Index column_blocks,
                     float* totals) {
  constexpr int N = Terms::N;
  FRAMEFOLD_SHARED(float, tile, [column_threads]);
  const Index sample = blockIdx.x / column_blocks;
  const Index part = blockIdx.y;
  const Index column =
      (blockIdx.x % column_blocks * blockDim.x + threadIdx.x) * static_cast<Index>(N);
  const bool inside = column < extent.columns;
  float sum[Terms::sums][N] = {};
  if (inside)
    for (Index r = extent.rows * part / parts + threadIdx.y; r < extent.rows * (part + 1) / parts;
         r += blockDim.y)
      terms(sample * extent.rows + r, column, sum);
  const unsigned at = threadIdx.y * blockDim.x + threadIdx.x;
  for (int o = 0; o < Terms::sums; ++o)
    for (int i = 0; i < N; ++i) {
      __syncthreads();
      tile[at] = sum[o][i];
      __syncthreads();
      if (threadIdx.y == 0 && inside) {
        float total = 0;
        for (unsigned y = 0; y < blockDim.y; ++y) total += tile[y * blockDim.x + threadIdx.x];
        const Index row = (sample * parts + part) * Terms::sums + o;
        totals[row * extent.columns + column + i] = total;
      }
    }
}

// finish(sample, column, sums of that column)
template <int sums, class Finish>
__global__ void __launch_bounds__(column_threads)
    finish_columns(Finish finish, ColumnExtent extent, Index parts, const float* totals) {
  const Index i = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= extent.samples * extent.columns) return;
  const Index sample = i / extent.columns;
  const Index column = i % extent.columns;
  float sum[sums] = {};
  for (Index part = 0; part < parts; ++part)
    for (int o = 0; o < sums; ++o)
      sum[o] += totals[((sample * parts + part) * sums + o) * extent.columns + column];
  finish(sample, column, sum);
}

inline Bytes column_workspace(const ColumnExtent& extent, int sums) {
  const Index parts = extent.samples * column_parts(extent.rows);
  return Workspace::padded(static_cast<Bytes>(parts * sums * extent.columns) * sizeof(float));
}

template <class Terms, class Finish>
void sum_columns(const Stream& stream, Terms terms, Finish finish, const ColumnExtent& extent,
                 Workspace workspace) {
  if (extent.samples * extent.columns == 0) return;
  const Index parts = column_parts(extent.rows);
  auto* totals = workspace.take<float>(extent.samples * parts * Terms::sums * extent.columns);
  const Index packs = divide_up(extent.columns, Terms::N);
  unsigned wide = 1;
  while (wide < warp_size && wide < packs) wide *= 2;
  const Index column_blocks = divide_up(packs, wide);
  launch<&sum_column_parts<Terms>>(
      stream,
      {{blocks_of(column_blocks * extent.samples), static_cast<unsigned>(parts)},
       {wide, column_threads / wide}},
      terms, extent, parts, column_blocks, totals);
  launch<&finish_columns<Terms::sums, Finish>>(
      stream,
      {{blocks_of(divide_up(extent.samples * extent.columns, column_threads))}, {column_threads}},
      finish, extent, parts, totals);
}

// total += sum, for up to two parameters; null ones nobody wants.
struct AddColumns {
  float* total[2];

  template <int sums>
  __device__ __forceinline__ void operator()(Index, Index column, const float (&sum)[sums]) const {
    static_assert(sums <= 2);
#pragma unroll
    for (int o = 0; o < sums; ++o)
      if (total[o]) total[o][column] += sum[o];
  }
};

}  // namespace framefold::gpu

// y[s, r, c] = f(what f keeps of column c of sample s, x0[s, r, c], x1[s, r, c], ...): a bias, the
// normalisation of channels. A thread reads its columns once and walks down the rows, 16 bytes at
// once. Memory-bound: the floor is one read of every x and one write of y.
#pragma once

#include "kernels/device/columns.cuh"

namespace framefold::gpu {

template <int N, class F, class Y, class... X>
__global__ void __launch_bounds__(column_threads)
    map_column_rows(F f, ColumnExtent extent, Index column_blocks, Y* y, const X*... x) {
  const Index sample = blockIdx.x / column_blocks;
  const Index column =
      (blockIdx.x % column_blocks * blockDim.x + threadIdx.x) * static_cast<Index>(N);
  if (column >= extent.columns) return;
  typename F::Column of_column[N];
#pragma unroll
  for (int i = 0; i < N; ++i) of_column[i] = f.column(sample, column + i);
  const Index step = static_cast<Index>(gridDim.y) * blockDim.y;
  for (Index r = static_cast<Index>(blockIdx.y) * blockDim.y + threadIdx.y; r < extent.rows;
       r += step) {
    const Index at = (sample * extent.rows + r) * extent.columns + column;
    float results[N];
    const auto compute = [&](const auto&... values) {
#pragma unroll
      for (int i = 0; i < N; ++i) results[i] = f(of_column[i], values.at[i]...);
    };
    [[maybe_unused]] const auto loaded = [&](const auto* from) {
      Pack<float, N> values;
      load<N>(values.at, from + at);
      return values;
    };
    compute(loaded(x)...);
    store<N>(y + at, results);
  }
}

// y may be one of x.
template <class F, class Y, class... X>
void map_columns(const Stream& stream, F f, const ColumnExtent& extent, Y* y, const X*... x) {
  if (extent.samples * extent.rows * extent.columns == 0) return;
  const auto run = [&]<int N>(std::integral_constant<int, N>) {
    constexpr Index rows_of_thread = 4;
    constexpr Index most = 65535;  // blocks along y
    const Index packs = divide_up(extent.columns, N);
    unsigned wide = 1;
    while (wide < warp_size && wide < packs) wide *= 2;
    const unsigned high = column_threads / wide;
    const Index column_blocks = divide_up(packs, wide);
    const Index row_blocks = std::min(most, divide_up(extent.rows, high * rows_of_thread));
    launch<&map_column_rows<N, F, Y, X...>>(
        stream,
        {{blocks_of(column_blocks * extent.samples), static_cast<unsigned>(row_blocks)},
         {wide, high}},
        f, extent, column_blocks, y, x...);
  };
  if (aligned(y, x...) && extent.columns % pack_of<Y> == 0)
    run(std::integral_constant<int, pack_of<Y>>{});
  else
    run(std::integral_constant<int, 1>{});
}

}  // namespace framefold::gpu

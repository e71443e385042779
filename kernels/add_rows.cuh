// Device code of adding rows of a table. Memory-bound; floors: forward one read of x and one write
// of y, the table's gradient one read of dy. Shares reached: not measured.
#pragma once

#include "kernels/device/columns.cuh"
#include "kernels/device/votes.cuh"

namespace framefold::gpu {

// Which row of the table stands at each row of y: `given` of a sample by index, `left` by masked.
struct RowNumbers {
  Index given, left;
  const std::int32_t* index;
  const std::int32_t* masked;

  __device__ __forceinline__ Index rows() const { return given + left; }
  __device__ __forceinline__ std::int32_t at(Index b, Index m) const {
    return m < given ? index[b * given + m] : masked[b * left + m - given];
  }
};

// A number that is no row of the table adds nothing.
template <class T, int N>
__global__ void __launch_bounds__(voters)
    add_rows_packs(RowNumbers numbers, Index table_rows, Index packs, Index count, T* y, const T* x,
                   const float* table, const float* token) {
  const Index i = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= count) return;
  const Index column = i % packs * N;
  const Index width = packs * N;
  const Index b = i / packs / numbers.rows();
  const Index m = i / packs % numbers.rows();
  const std::int32_t number = numbers.at(b, m);
  float position[N] = {};
  float values[N];
  if (number >= 0 && number < table_rows) load(position, table + number * width + column);
  if (m < numbers.given)
    load(values, x + (b * numbers.given + m) * width + column);
  else
    load(values, token + column);
  for (int k = 0; k < N; ++k) values[k] += position[k];
  store(y + i * N, values);
}

// A block for each row of the table looks for its places in y, in their order: no sums meet in
// memory.
template <class T, int N>
__global__ void __launch_bounds__(voters)
    add_rows_table(RowNumbers numbers, Index count, Index width, float* dtable, const T* dy) {
  FRAMEFOLD_SHARED(Votes, votes);
  const Index column = (static_cast<Index>(blockIdx.y) * voters + threadIdx.x) * N;
  float sum[N] = {};
  for (Index first = 0; first < count; first += voters) {
    const Index at = first + threadIdx.x;
    const bool here =
        at < count && numbers.at(at / numbers.rows(), at % numbers.rows()) == Index{blockIdx.x};
    vote(votes, here);
    if (column < width)
      votes.for_each([&](int place) {
        float g[N];
        load(g, dy + (first + place) * width + column);
        for (int k = 0; k < N; ++k) sum[k] += g[k];
      });
  }
  if (column >= width) return;
  float total[N];
  float* to = dtable + blockIdx.x * width + column;
  load(total, to);
  for (int k = 0; k < N; ++k) total[k] += sum[k];
  store(to, total);
}

// The terms of dtoken: row r is the r-th of all samples' last `left`.
template <class T, int width>
struct LastRowTerms {
  static constexpr int N = width;
  static constexpr int sums = 1;
  const T* dy;
  Index given, left, C;

  __device__ __forceinline__ void operator()(Index r, Index column, float (&sum)[1][N]) const {
    const Index row = r / left * (given + left) + given + r % left;
    float g[N];
    load(g, dy + row * C + column);
    for (int i = 0; i < N; ++i) sum[0][i] += g[i];
  }
};

}  // namespace framefold::gpu

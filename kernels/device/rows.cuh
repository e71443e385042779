// Operations on rows [R, C]: a warp or a block for each, the row held in registers where it fits,
// so that several passes over it read memory once.
#pragma once

#include "kernels/device/pack.cuh"

namespace framefold::gpu {

constexpr int row_block = 256;      // threads of a block that shares a row
constexpr int rows_of_block = 4;    // rows of a block whose warps have one each
constexpr int packs_of_thread = 4;  // that a thread holds

// `threads` work on a row, N elements at once; `held`: each holds its packs of the row.
template <int width, int lanes, bool in_registers>
struct RowPlan {
  static constexpr int N = width;
  static constexpr int threads = lanes;
  static constexpr bool held = in_registers;

  // The row of this thread; a warp beyond the last row leaves as a whole.
  __device__ __forceinline__ static Index row() {
    if constexpr (threads == warp_size)
      return static_cast<Index>(blockIdx.x) * rows_of_block + threadIdx.x / warp_size;
    return blockIdx.x;
  }
  __device__ __forceinline__ static Index lane() { return threadIdx.x % threads; }

  // Calls body(slot, first column) for this thread's packs of a row of C.
  template <class Body>
  __device__ __forceinline__ static void for_packs(Index C, Body&& body) {
    if constexpr (held) {
#pragma unroll
      for (int slot = 0; slot < packs_of_thread; ++slot) {
        const Index column = (slot * threads + lane()) * N;
        if (column < C) body(slot, column);
      }
    } else {
      for (Index column = lane() * N; column < C; column += threads * N) body(0, column);
    }
  }
};

// This thread's part of a row.
template <class Plan, class T>
class Row {
 public:
  __device__ __forceinline__ Row(const T* row, Index C) : row_(row) {
    if constexpr (Plan::held)
      Plan::for_packs(C, [&](int slot, Index column) { load(held_[slot], row + column); });
  }

  // Of a + b, rounded to T, which it writes to `sum` on the way.
  __device__ __forceinline__ Row(T* sum, const T* a, const T* b, Index C) : row_(sum) {
    Plan::for_packs(C, [&](int slot, Index column) {
      auto& values = held_[slot];
      float other[Plan::N];
      load(values, a + column);
      load(other, b + column);
      for (int i = 0; i < Plan::N; ++i) values[i] = to_f32(from_f32<T>(values[i] + other[i]));
      store(sum + column, values);
    });
  }

  // The pack that for_packs named.
  __device__ __forceinline__ const float (&operator()(int slot, Index column))[Plan::N] {
    if constexpr (!Plan::held) load(held_[0], row_ + column);
    return held_[slot];
  }

 private:
  const T* row_;
  float held_[Plan::held ? packs_of_thread : 1][Plan::N];
};

// Calls use(RowPlan) with the plan for rows of C elements of T; `alike`: the addresses of all rows
// allow packs.
template <class T, class Use>
void with_row_plan(Index C, bool alike, Use&& use) {
  const auto choose = [&]<int N>(std::integral_constant<int, N>) {
    if (C <= Index{packs_of_thread} * warp_size * N) return use(RowPlan<N, warp_size, true>{});
    if (C <= Index{packs_of_thread} * row_block * N) return use(RowPlan<N, row_block, true>{});
    return use(RowPlan<N, row_block, false>{});
  };
  if (alike && C % pack_of<T> == 0) return choose(std::integral_constant<int, pack_of<T>>{});
  choose(std::integral_constant<int, 1>{});
}

template <class Plan>
Grid grid_of_rows(Plan, Index rows) {
  if (Plan::threads == warp_size)
    return {{blocks_of(divide_up(rows, rows_of_block))}, {rows_of_block * warp_size}};
  return {{blocks_of(rows)}, {Plan::threads}};
}

}  // namespace framefold::gpu

// Device code of matrix products: device/tile.cuh's kernel over matrices. Compute-bound; the floor
// is 2 batch m n k operations. Share reached: not measured.
#pragma once

#include "kernels/device/formula.cuh"
#include "kernels/device/tile.cuh"

namespace framefold::gpu {

// Element (i, k) of matrix g stands at g * matrix + i * row + k * column.
template <class T, bool in_shared = false>
struct MatrixOperand {
  const T* data;
  Index matrix_step, row_step, column_step;
  bool k_fast;
  static constexpr bool copied = std::is_same_v<T, float> && !in_shared;

  __device__ __forceinline__ const T* row(Index g, Index i) const {
    return data + g * matrix_step + i * row_step;
  }
  __device__ __forceinline__ Index step(Index k) const { return k * column_step; }
  __device__ __forceinline__ const T* at(const T* row, Index step) const { return row + step; }
};

// A bias of f32 or bf16, or none.
struct Bias {
  const float* wide;
  const bf16* narrow;

  __device__ __forceinline__ float operator()(Index j) const {
    if (wide) return wide[j];
    return narrow ? to_f32(narrow[j]) : 0.0F;
  }
};

inline Bias bias_of(View bias) {
  if (!bias) return {};
  if (bias.dtype == DType::bf16) return {nullptr, bias.as<bf16>()};
  return {bias.as<float>(), nullptr};
}

template <class T>
struct StoreMatrix {
  T* c;
  Index m, n;
  Bias bias;
  bool accumulate;
  Activation activation;

  __device__ __forceinline__ void operator()(unsigned, Index g, Index i, Index j, float sum) const {
    T& to = c[(g * m + i) * n + j];
    sum += bias(j);
    if (accumulate) sum += to_f32(to);
    to = from_f32<T>(activate(activation, sum));
  }
};

}  // namespace framefold::gpu

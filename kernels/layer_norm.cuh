// Device code of layer normalisation. Memory-bound; floors: forward one read of x and one write of
// y, dgrad two reads and one write, wgrad two reads; with a residual, one read and one write more
// in both. Shares reached: not measured.
#pragma once

#include "kernels/device/columns.cuh"
#include "kernels/device/reduce.cuh"
#include "kernels/device/rows.cuh"

namespace framefold::gpu {

template <class T, class Plan>
__global__ void __launch_bounds__(row_block)
    layer_norm_rows(float eps, Index rows, Index C, T* y, float* mean, float* rstd, const T* x,
                    const float* gamma, const float* beta, T* summed, const T* b) {
  const Index r = Plan::row();
  if (r >= rows) return;
  const Index at = r * C;
  Row<Plan, T> of_x = b ? Row<Plan, T>(summed + at, x + at, b + at, C) : Row<Plan, T>(x + at, C);
  float sum = 0;
  Plan::for_packs(C, [&](int slot, Index column) {
    const auto& values = of_x(slot, column);
    for (int i = 0; i < Plan::N; ++i) sum += values[i];
  });
  const float m = sum_of_all<Plan::threads>(sum) / static_cast<float>(C);
  float squares = 0;
  Plan::for_packs(C, [&](int slot, Index column) {
    const auto& values = of_x(slot, column);
    for (int i = 0; i < Plan::N; ++i) squares += (values[i] - m) * (values[i] - m);
  });
  const float variance = sum_of_all<Plan::threads>(squares) / static_cast<float>(C);
  const float s = 1 / sqrtf(variance + eps);
  Plan::for_packs(C, [&](int slot, Index column) {
    const auto& values = of_x(slot, column);
    float scale[Plan::N];
    float shift[Plan::N];
    load(scale, gamma + column);
    load(shift, beta + column);
    for (int i = 0; i < Plan::N; ++i) scale[i] = (values[i] - m) * s * scale[i] + shift[i];
    store(y + at + column, scale);
  });
  if (Plan::lane() == 0) {
    mean[r] = m;
    rstd[r] = s;
  }
}

// With n = (x - mean) rstd and g = dy gamma:  dx = rstd (g - mean(g) - n mean(g n)) + dsum.
template <class T, class Plan>
__global__ void __launch_bounds__(row_block, 2)
    layer_norm_dgrad_rows(Index rows, Index C, T* dx, const T* dy, const T* x, const float* mean,
                          const float* rstd, const float* gamma, T* db, const T* dsum) {
  const Index r = Plan::row();
  if (r >= rows) return;
  Row<Plan, T> of_x(x + r * C, C);
  Row<Plan, T> of_dy(dy + r * C, C);
  const float m = mean[r];
  const float s = rstd[r];
  float sum_g = 0;
  float sum_gn = 0;
  const auto for_columns = [&](auto&& body) {  // body(column, n, g) for a pack of each
    Plan::for_packs(C, [&](int slot, Index column) {
      const auto& values = of_x(slot, column);
      const auto& cotangents = of_dy(slot, column);
      float n[Plan::N];
      float g[Plan::N];
      load(g, gamma + column);
      for (int i = 0; i < Plan::N; ++i) {
        n[i] = (values[i] - m) * s;
        g[i] *= cotangents[i];
      }
      body(column, n, g);
    });
  };
  for_columns([&](Index, const auto& n, const auto& g) {
    for (int i = 0; i < Plan::N; ++i) {
      sum_g += g[i];
      sum_gn += g[i] * n[i];
    }
  });
  const float mean_g = sum_of_all<Plan::threads>(sum_g) / static_cast<float>(C);
  const float mean_gn = sum_of_all<Plan::threads>(sum_gn) / static_cast<float>(C);
  for_columns([&](Index column, const auto& n, auto& g) {
    float beside[Plan::N] = {};
    if (dsum) load(beside, dsum + r * C + column);
    for (int i = 0; i < Plan::N; ++i) g[i] = s * (g[i] - mean_g - n[i] * mean_gn) + beside[i];
    store(dx + r * C + column, g);
    if (db) store(db + r * C + column, g);
  });
}

// The terms of dgamma and dbeta.
template <class T, int width>
struct LayerNormTerms {
  static constexpr int N = width;
  static constexpr int sums = 2;
  const T* dy;
  const T* x;
  const float* mean;
  const float* rstd;
  Index C;

  __device__ __forceinline__ void operator()(Index row, Index column, float (&sum)[2][N]) const {
    float g[N];
    float value[N];
    load(g, dy + row * C + column);
    load(value, x + row * C + column);
    for (int i = 0; i < N; ++i) {
      sum[0][i] += g[i] * (value[i] - mean[row]) * rstd[row];
      sum[1][i] += g[i];
    }
  }
};

}  // namespace framefold::gpu

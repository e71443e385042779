// Device code of cross-entropy. Memory-bound; floors: forward two reads, dgrad two reads and one
// write. Shares reached: not measured.
#pragma once

#include "kernels/device/exponentials.cuh"

namespace framefold::gpu {

template <class T, class Plan>
__global__ void __launch_bounds__(row_block)
    cross_entropy_rows(Index rows, Index C, float* losses, float* lse, const T* x, const T* t) {
  const Index r = Plan::row();
  if (r >= rows) return;
  Row<Plan, T> of_x(x + r * C, C);
  const auto [most, sum] = exponentials<Plan>(of_x, C);
  const float total = most + logf(sum);
  float loss = 0;
  Plan::for_packs(C, [&](int slot, Index column) {
    const auto& values = of_x(slot, column);
    float targets[Plan::N];
    load(targets, t + r * C + column);
    for (int i = 0; i < Plan::N; ++i) loss += targets[i] * (total - values[i]);
  });
  loss = sum_of_all<Plan::threads>(loss);
  if (Plan::lane() == 0) {
    losses[r] = loss;
    lse[r] = total;
  }
}

template <class T, class Plan>
__global__ void __launch_bounds__(row_block)
    cross_entropy_dgrad_rows(Index rows, Index C, T* dx, const float* dy, const T* x, const T* t,
                             const float* lse) {
  const Index r = Plan::row();
  if (r >= rows) return;
  Row<Plan, T> of_t(t + r * C, C);
  float weight = 0;
  Plan::for_packs(C, [&](int slot, Index column) {
    const auto& targets = of_t(slot, column);
    for (int i = 0; i < Plan::N; ++i) weight += targets[i];
  });
  weight = sum_of_all<Plan::threads>(weight);
  const float factor = *dy / static_cast<float>(rows);
  Plan::for_packs(C, [&](int slot, Index column) {
    const auto& targets = of_t(slot, column);
    float values[Plan::N];
    load(values, x + r * C + column);
    for (int i = 0; i < Plan::N; ++i)
      values[i] = factor * (expf(values[i] - lse[r]) * weight - targets[i]);
    store(dx + r * C + column, values);
  });
}

}  // namespace framefold::gpu

// Device code of softmax. Memory-bound; floors: forward one read and one write, dgrad two reads and
// one write. Shares reached: not measured.
#pragma once

#include "kernels/device/exponentials.cuh"

namespace framefold::gpu {

template <class T, class Plan>
__global__ void __launch_bounds__(row_block) softmax_rows(Index rows, Index C, T* y, const T* x) {
  const Index r = Plan::row();
  if (r >= rows) return;
  Row<Plan, T> of_x(x + r * C, C);
  const auto [most, sum] = exponentials<Plan>(of_x, C);
  Plan::for_packs(C, [&](int slot, Index column) {
    const auto& values = of_x(slot, column);
    float results[Plan::N];
    for (int i = 0; i < Plan::N; ++i) results[i] = expf(values[i] - most) / sum;
    store(y + r * C + column, results);
  });
}

template <class T, class Plan>
__global__ void __launch_bounds__(row_block)
    softmax_dgrad_rows(Index rows, Index C, T* dx, const T* dy, const T* y) {
  const Index r = Plan::row();
  if (r >= rows) return;
  Row<Plan, T> of_y(y + r * C, C);
  Row<Plan, T> of_dy(dy + r * C, C);
  float sum = 0;
  Plan::for_packs(C, [&](int slot, Index column) {
    const auto& values = of_y(slot, column);
    const auto& cotangents = of_dy(slot, column);
    for (int i = 0; i < Plan::N; ++i) sum += values[i] * cotangents[i];
  });
  sum = sum_of_all<Plan::threads>(sum);
  Plan::for_packs(C, [&](int slot, Index column) {
    const auto& values = of_y(slot, column);
    const auto& cotangents = of_dy(slot, column);
    float results[Plan::N];
    for (int i = 0; i < Plan::N; ++i) results[i] = values[i] * (cotangents[i] - sum);
    store(dx + r * C + column, results);
  });
}

}  // namespace framefold::gpu

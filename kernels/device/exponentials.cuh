// What a softmax over a row needs of it.
#pragma once

#include "kernels/device/reduce.cuh"
#include "kernels/device/rows.cuh"

namespace framefold::gpu {

struct Exponentials {
  float most;  // the row's largest
  float sum;   // of e^(x - most)
};

// In every thread that shares the row.
template <class Plan, class T>
__device__ __forceinline__ Exponentials exponentials(Row<Plan, T>& of_x, Index C) {
  float most = -INFINITY;
  Plan::for_packs(C, [&](int slot, Index column) {
    const auto& values = of_x(slot, column);
    for (int i = 0; i < Plan::N; ++i) most = Greater{}(most, values[i]);
  });
  most = all_of<Plan::threads>(most, Greater{});
  float sum = 0;
  Plan::for_packs(C, [&](int slot, Index column) {
    const auto& values = of_x(slot, column);
    for (int i = 0; i < Plan::N; ++i) sum += expf(values[i] - most);
  });
  return {most, sum_of_all<Plan::threads>(sum)};
}

}  // namespace framefold::gpu

// One number of many terms: losses and norms. Every block sums a share of fixed length, then one
// block adds the shares in f64: deterministic, and the same for every device. The floor is one read
// of what the terms are made of.
#pragma once

#include "kernels/device/map.cuh"
#include "kernels/device/reduce.cuh"
#include "kernels/pointwise.h"

namespace framefold::gpu {

constexpr int total_threads = 256;
constexpr int total_share = 8192;  // elements of a block

template <int N, class F, class... X>
__global__ void __launch_bounds__(total_threads)
    sum_shares(F f, Index count, float* shares, const X*... x) {
  float sum = 0;
  const Index first = static_cast<Index>(blockIdx.x) * total_share;
  for (int at = static_cast<int>(threadIdx.x) * N; at < total_share; at += total_threads * N) {
    const Index begin = first + at;
    if (begin + N <= count) {
      const auto add = [&](const auto&... values) {
#pragma unroll
        for (int i = 0; i < N; ++i) sum += f(values.at[i]...);
      };
      const auto loaded = [&](const auto* from) {
        Pack<float, N> values;
        load<N>(values.at, from + begin);
        return values;
      };
      add(loaded(x)...);
    } else {
      for (Index i = begin; i < count; ++i) sum += f(to_f32(x[i])...);
    }
  }
  sum = sum_of_all<total_threads>(sum);
  if (threadIdx.x == 0) shares[blockIdx.x] = sum;
}

// *total = weight * sum
template <class Total>
__global__ void __launch_bounds__(total_threads)
    finish_total(Total* total, double weight, Index count, const float* shares) {
  FRAMEFOLD_SHARED(double, of_threads, [total_threads]);
  double sum = 0;
  for (Index i = threadIdx.x; i < count; i += total_threads) sum += static_cast<double>(shares[i]);
  of_threads[threadIdx.x] = sum;
  for (unsigned half = total_threads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) of_threads[threadIdx.x] += of_threads[threadIdx.x + half];
  }
  if (threadIdx.x == 0) *total = static_cast<Total>(weight * of_threads[0]);
}

// *total = weight * sum of f(x0[i], x1[i], ...). The workspace of piecewise_sum in pieces of
// pointwise_grain suffices.
template <class F, class Total, class X0, class... X>
void sum_elements(const Stream& stream, F f, Index count, Total* total, double weight,
                  Workspace workspace, const X0* x0, const X*... x) {
  static_assert(2 * total_share >= pointwise_grain);
  const Index blocks = divide_up(count, total_share);
  auto* shares = workspace.take<float>(blocks);
  const auto run = [&]<int N>(std::integral_constant<int, N>) {
    launch<&sum_shares<N, F, X0, X...>>(stream, {{blocks_of(blocks)}, {total_threads}}, f, count,
                                        shares, x0, x...);
  };
  if (blocks > 0) {
    if (aligned(x0, x...))
      run(std::integral_constant<int, pack_of<X0>>{});
    else
      run(std::integral_constant<int, 1>{});
  }
  launch<&finish_total<Total>>(stream, {{1}, {total_threads}}, total, weight, blocks, shares);
}

}  // namespace framefold::gpu

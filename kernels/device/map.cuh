// y[i] = f(i, x0[i], x1[i], ...): every pointwise operation. 16 bytes of y a thread, the tail one
// by one. Memory-bound: the floor is one read of every x and one write of y.
#pragma once

#include "kernels/device/pack.cuh"

namespace framefold::gpu {

template <int N, class F, class Y, class... X>
__global__ void __launch_bounds__(256) map_elements(F f, Index count, Y* y, const X*... x) {
  const Index begin = (static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x) * N;
  if (begin + N <= count) {
    float results[N];
    const auto compute = [&](const auto&... values) {
#pragma unroll
      for (int i = 0; i < N; ++i) results[i] = f(begin + i, values.at[i]...);
    };
    [[maybe_unused]] const auto loaded = [&](const auto* from) {
      Pack<float, N> values;
      load<N>(values.at, from + begin);
      return values;
    };
    compute(loaded(x)...);
    store<N>(y + begin, results);
  } else {
    for (Index i = begin; i < count; ++i) y[i] = from_f32<Y>(f(i, to_f32(x[i])...));
  }
}

// y may be one of x.
template <class F, class Y, class... X>
void map(const Stream& stream, F f, Index count, Y* y, const X*... x) {
  if (count == 0) return;
  constexpr int threads = 256;
  const auto run = [&]<int N>(std::integral_constant<int, N>) {
    launch<&map_elements<N, F, Y, X...>>(
        stream, {{blocks_of(divide_up(count, Index{threads} * N))}, {threads}}, f, count, y, x...);
  };
  if (aligned(y, x...))
    run(std::integral_constant<int, pack_of<Y>>{});
  else
    run(std::integral_constant<int, 1>{});
}

}  // namespace framefold::gpu

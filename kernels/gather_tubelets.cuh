// Device code of gathering tubelets, a block for each. Memory-bound; the floor is one read of the
// chosen pixels and one write of y. Share reached: not measured.
#pragma once

#include "kernels/pixels.cuh"

namespace framefold::gpu {

constexpr int tubelet_threads = 128;

template <class T, int N>
__global__ void __launch_bounds__(tubelet_threads)
    gather_tubelet_packs(TubeletGrid grid, PixelFactors factors, Index picks, T* y,
                         const std::uint8_t* clip, const std::int32_t* index) {
  const Index at = blockIdx.x;
  const int features = static_cast<int>(grid.features());
  const TubeletPixels pixels(grid, picks, at, clip, index);
  for (int f = static_cast<int>(threadIdx.x) * N; f < features; f += tubelet_threads * N) {
    float values[N] = {};
    if (pixels) {
      load(values, pixels.at(f));
      for (int i = 0; i < N; ++i) values[i] = factors(f + i, values[i]);
    }
    store(y + at * features + f, values);
  }
}

}  // namespace framefold::gpu

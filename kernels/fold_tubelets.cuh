// Device code of tubelets put back into their clip, a block for each. Memory-bound, and for looking
// at: plain.
#pragma once

#include "kernels/device/votes.cuh"
#include "kernels/tubelet_mse.cuh"

namespace framefold::gpu {

// x null: grey.
template <class T>
__global__ void __launch_bounds__(total_threads)
    fold_tubelet(TubeletGrid grid, bool normalize, double eps, Index picks, float* y, const T* x,
                 const std::uint8_t* clip, const std::int32_t* index) {
  static_assert(total_threads == voters);
  FRAMEFOLD_SHARED(TubeletScales, own);
  FRAMEFOLD_SHARED(Votes, votes);
  const Index at = blockIdx.x;
  const int features = static_cast<int>(grid.features());
  const int channels = static_cast<int>(grid.channels);
  const TubeletPixels pixels(grid, picks, at, clip, index);
  measure_tubelet(own, pixels, features, channels, normalize, eps);
  bool hidden = false;  // of equal tokens the last one stands
  for (Index m = at + 1 + threadIdx.x; m < (at / picks + 1) * picks; m += total_threads)
    hidden = hidden || index[m] == index[at];
  vote(votes, hidden);
  if (!pixels || votes.all() > 0) return;
  for (int f = static_cast<int>(threadIdx.x); f < features; f += total_threads) {
    const int c = f % channels;
    float value = 0.5F;
    if (x)
      value = (to_f32(x[at * features + f]) / own.factor[c] + own.shift[c]) *
              static_cast<float>(1 / 255.0);
    y[pixels.at(f) - clip] = value;
  }
}

}  // namespace framefold::gpu

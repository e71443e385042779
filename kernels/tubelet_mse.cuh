// Device code of the loss of normalised tubelets, a block for each; the targets live in registers.
// Memory-bound; floors: forward one read of x and of the pixels, dgrad that and one write of dx.
// Shares reached: not measured.
#pragma once

#include "kernels/device/total.cuh"
#include "kernels/pixels.cuh"

namespace framefold::gpu {

// Sums over the pixels of one channel, exact: the contract's bounds keep them below 2^32.
struct PixelSums {
  unsigned sum, squares;
};

// What the targets subtract from the pixels of a channel, and multiply by; a barrier has passed
// when it returns.
struct TubeletScales {
  PixelSums of_threads[total_threads];
  float shift[Pixels::max_channels];
  float factor[Pixels::max_channels];
};

__device__ __forceinline__ void measure_tubelet(TubeletScales& scales, const TubeletPixels& pixels,
                                                int features, int channels, bool normalize,
                                                double eps) {
  const int thread = static_cast<int>(threadIdx.x);
  const int step = total_threads / channels * channels;  // a thread keeps to one channel
  if (normalize) {
    PixelSums own{};
    for (int f = thread; pixels && thread < step && f < features; f += step) {
      const unsigned pixel = *pixels.at(f);
      own.sum += pixel;
      own.squares += pixel * pixel;
    }
    scales.of_threads[thread] = own;
    __syncthreads();
  }
  if (thread < channels) {
    scales.shift[thread] = 0;
    scales.factor[thread] = static_cast<float>(1 / 255.0);
    if (normalize) {
      double sum = 0;
      double squares = 0;
      for (int i = thread; i < step; i += channels) {
        sum += scales.of_threads[i].sum;
        squares += scales.of_threads[i].squares;
      }
      const double count = features / channels;
      const double spread = squares - sum * sum / count;
      const double deviation = spread > 0 ? sqrt(spread / (count - 1)) : 0;
      scales.shift[thread] = static_cast<float>(sum / count);
      scales.factor[thread] = static_cast<float>(1 / (deviation + 255 * eps));
    }
  }
  __syncthreads();
}

template <class T, int N>
__global__ void __launch_bounds__(total_threads)
    tubelet_mse_shares(TubeletGrid grid, bool normalize, double eps, Index picks, float* shares,
                       float* scales, const T* x, const std::uint8_t* clip,
                       const std::int32_t* index) {
  FRAMEFOLD_SHARED(TubeletScales, own);
  const Index at = blockIdx.x;
  const int features = static_cast<int>(grid.features());
  const int channels = static_cast<int>(grid.channels);
  const int thread = static_cast<int>(threadIdx.x);
  const TubeletPixels pixels(grid, picks, at, clip, index);
  measure_tubelet(own, pixels, features, channels, normalize, eps);
  if (thread < channels) {
    scales[at * 2 * channels + thread] = own.shift[thread];
    scales[at * 2 * channels + channels + thread] = own.factor[thread];
  }
  float sum = 0;
  for (int f = thread * N; pixels && f < features; f += total_threads * N) {
    float values[N];
    float from[N];
    load(values, x + at * features + f);
    load(from, pixels.at(f));
    for (int i = 0; i < N; ++i) {
      const int c = (f + i) % channels;
      const float d = values[i] - (from[i] - own.shift[c]) * own.factor[c];
      sum += d * d;
    }
  }
  sum = sum_of_all<total_threads>(sum);
  if (thread == 0) shares[at] = sum;
}

template <class T, int N>
__global__ void __launch_bounds__(total_threads)
    tubelet_mse_dgrad_packs(TubeletGrid grid, Index picks, float weight, T* dx, const float* dy,
                            const T* x, const std::uint8_t* clip, const std::int32_t* index,
                            const float* scales) {
  const Index at = blockIdx.x;
  const int features = static_cast<int>(grid.features());
  const int channels = static_cast<int>(grid.channels);
  const TubeletPixels pixels(grid, picks, at, clip, index);
  const float* shift = scales + at * 2 * channels;
  const float* factor = shift + channels;
  for (int f = static_cast<int>(threadIdx.x) * N; f < features; f += total_threads * N) {
    float values[N] = {};
    if (pixels) {
      float from[N];
      load(values, x + at * features + f);
      load(from, pixels.at(f));
      for (int i = 0; i < N; ++i) {
        const int c = (f + i) % channels;
        values[i] = *dy * weight * (values[i] - (from[i] - shift[c]) * factor[c]);
      }
    }
    store(dx + at * features + f, values);
  }
}

}  // namespace framefold::gpu

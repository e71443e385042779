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

template <class T, int N>
__global__ void __launch_bounds__(total_threads)
    tubelet_mse_shares(TubeletGrid grid, bool normalize, double eps, Index picks, float* shares,
                       float* scales, const T* x, const std::uint8_t* clip,
                       const std::int32_t* index) {
  FRAMEFOLD_SHARED(PixelSums, of_threads, [total_threads]);
  FRAMEFOLD_SHARED(float, shift, [Pixels::max_channels]);
  FRAMEFOLD_SHARED(float, factor, [Pixels::max_channels]);
  const Index at = blockIdx.x;
  const int features = static_cast<int>(grid.features());
  const int channels = static_cast<int>(grid.channels);
  const int thread = static_cast<int>(threadIdx.x);
  const TubeletPixels pixels(grid, picks, at, clip, index);
  if (normalize) {  // a thread keeps to one channel
    const int step = total_threads / channels * channels;
    PixelSums own{};
    for (int f = thread; pixels && thread < step && f < features; f += step) {
      const unsigned pixel = *pixels.at(f);
      own.sum += pixel;
      own.squares += pixel * pixel;
    }
    of_threads[thread] = own;
    __syncthreads();
  }
  if (thread < channels) {
    shift[thread] = 0;
    factor[thread] = static_cast<float>(1 / 255.0);
    if (normalize) {
      double sum = 0;
      double squares = 0;
      for (int i = thread; i < total_threads / channels * channels; i += channels) {
        sum += of_threads[i].sum;
        squares += of_threads[i].squares;
      }
      const double count = features / channels;
      const double spread = squares - sum * sum / count;
      const double deviation = spread > 0 ? sqrt(spread / (count - 1)) : 0;
      shift[thread] = static_cast<float>(sum / count);
      factor[thread] = static_cast<float>(1 / (deviation + 255 * eps));
    }
    scales[at * 2 * channels + thread] = shift[thread];
    scales[at * 2 * channels + channels + thread] = factor[thread];
  }
  __syncthreads();
  float sum = 0;
  for (int f = thread * N; pixels && f < features; f += total_threads * N) {
    float values[N];
    float from[N];
    load(values, x + at * features + f);
    load(from, pixels.at(f));
    for (int i = 0; i < N; ++i) {
      const int c = (f + i) % channels;
      const float d = values[i] - (from[i] - shift[c]) * factor[c];
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

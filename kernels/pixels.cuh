// Device code of pixels, alone and as tubelets of a clip.
#pragma once

#include "kernels/device/pack.cuh"
#include "kernels/pixel_lines.h"
#include "kernels/tubelets.h"

namespace framefold::gpu {

__device__ __forceinline__ int channel_of(Index i, int channels) {
  constexpr Index narrow = 0xffffffff;  // a division of 64 bits is many times as long
  return static_cast<int>(i <= narrow ? static_cast<unsigned>(i) % static_cast<unsigned>(channels)
                                      : i % channels);
}

// What pixels.h multiplies by and adds, by channel.
struct PixelFactors {
  int channels;
  float slope[Pixels::max_channels];
  float shift[Pixels::max_channels];

  explicit PixelFactors(const Pixels& pixels)
      : channels(static_cast<int>(
            std::max<std::size_t>({1, pixels.mean.size(), pixels.deviation.size()}))),
        slope{},
        shift{} {
    const PixelLine<float> line(pixels, channels);
    for (int c = 0; c < channels; ++c) {
      slope[c] = line.slope[static_cast<std::size_t>(c)];
      shift[c] = line.shift[static_cast<std::size_t>(c)];
    }
  }

  __device__ __forceinline__ float operator()(Index i, float pixel) const {
    const int c = channels == 1 ? 0 : channel_of(i, channels);
    return slope[c] * pixel + shift[c];
  }
};

// The pixels of one tubelet, by feature; without data where its number is no tubelet.
class TubeletPixels {
 public:
  __device__ __forceinline__ TubeletPixels(const TubeletGrid& grid, Index picks, Index at,
                                           const std::uint8_t* clip, const std::int32_t* index)
      : height_(static_cast<int>(grid.size[1])),
        line_(static_cast<int>(grid.line())),
        row_(grid.row),
        frame_(grid.frame) {
    const Index token = index ? Index{index[at]} : at % picks;
    if (token >= 0 && token < grid.tokens())
      first_ = clip + at / picks * grid.sample + grid.at(token, 0);
  }

  __device__ __forceinline__ explicit operator bool() const { return first_ != nullptr; }
  __device__ __forceinline__ const std::uint8_t* at(int feature) const {
    const int line = feature / line_;
    return first_ + line / height_ * frame_ + line % height_ * row_ + feature % line_;
  }

 private:
  const std::uint8_t* first_ = nullptr;
  int height_, line_;
  Index row_, frame_;
};

// Whether N neighbouring pixels of a tubelet can be read at once.
inline bool whole_packs(const TubeletGrid& grid, const std::uint8_t* clip, Index N) {
  return grid.line() % N == 0 && reinterpret_cast<std::uintptr_t>(clip) % N == 0;
}

}  // namespace framefold::gpu

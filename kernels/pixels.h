// Pixels as numbers: what a model for video begins with.
//
//   y = (x / 255 - mean) / deviation      mean and deviation of each channel, in units of full
//   scale
//
//   x   [..., C]  u8
//   y   [..., C]  f32, bf16 or f64
//
// Without mean and deviation y = x / 255, in [0, 1]. No backward: pixels are data. Any size; with
// them at most 16 channels. Deterministic for any number of threads. Memory-bound: the plain loop
// is the fast path.
#pragma once

#include <vector>

#include "kernels/stream.h"

namespace framefold {

struct Pixels {
  std::vector<float> mean;       // empty or C numbers
  std::vector<float> deviation;  // empty or C numbers, > 0

  static constexpr Index max_channels = 16;
};

void pixels_forward(const Stream& stream, const Pixels& pixels, Tensor y, View x);

}  // namespace framefold

// Crops a picture about its middle to the proportions of `format`, resizes it by area averaging
// (each pixel becomes the mean of what it covers, enlarging included) and converts grey to RGB by
// repetition, RGB to grey by BT.601's weights. Rounds to nearest.
//
//   picture  [h, w, 1 or 3]  u8
//   pixels   [H, W, C]       u8, written whole
#pragma once

#include <cstdint>

#include "io/codecs.h"
#include "kernels/tensor.h"

namespace framefold {

void resample(const FrameFormat& format, View picture, std::uint8_t* pixels);

}  // namespace framefold

// Chosen tubelets of a clip of pixels as numbers: what a patch embedding multiplies.
//
//   y[b, m, :] = (tubelet index[b, m] of clip b / 255 - mean) / deviation
//
//   clip    [B, T, H, W, C]    u8
//   index   [B, M]             i32, tokens in any order and number, checked; without data: all
//   y       [B, M, t h w C]    f32, bf16 or f64; the order of features stands in tubelets.h
//
// mean and deviation of each channel as in pixels.h, none for y in [0, 1]. No backward: pixels are
// data. Deterministic for any number of threads. Memory-bound, so the plain loop is the fast path:
// of a clip the chosen tubelets alone are read, once, and nothing stands between them and y.
#pragma once

#include "kernels/pixels.h"
#include "kernels/stream.h"

namespace framefold {

void gather_tubelets(const Stream& stream, const Extents& tubelet, const Pixels& pixels, Tensor y,
                     View clip, View index);

}  // namespace framefold

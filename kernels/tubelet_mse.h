// Mean squared error of predicted tubelets against a clip's pixels, read where they stand: no
// target is ever written down (Tong et al. 2022; He et al. 2022, section 4.1).
//
//   y = mean over b, m and features of (x - t)^2
//   t = (v - mean) / (sqrt(var) + eps)      v = pixel / 255
//
// mean and var of every channel over the pixels of its tubelet, var divided by their number less 1.
// Not normalised: t = v.
//
//   x, dx    [B, M, t h w C]    f32, bf16 or f64; the order of features stands in tubelets.h
//   clip     [B, T, H, W, C]    u8
//   index    [B, M]             i32, the tokens that are predicted, checked; without data: all
//   y, dy    [1]                f32 (f64 where x is f64)
//   scales   [B, M, 2, C]       as y: of each channel what t subtracts from a pixel and multiplies
//                               by; written by forward, read by backward
//
//   dx = dy 2 / (B M t h w C) (x - t)
//
// Sums over pixels are of integers, so mean and var lose no digits; a tubelet has fewer
// than 2^15 lines of at most 240 elements. dx is written (=). Backward reads x,
// clip, index and scales. Deterministic, the same for any number of threads. Tubelets of 1 pixel
// have no var: at least 2 where normalised. Memory-bound: the plain loops are the fast path.
#pragma once

#include "kernels/stream.h"

namespace framefold {

struct TubeletMse {
  Extents tubelet{2, 16, 16};
  bool normalize = true;
  double eps = 1e-6;
};

void tubelet_mse_forward(const Stream& stream, const TubeletMse& mse, Tensor y, Tensor scales,
                         Workspace workspace, View x, View clip, View index);
Bytes tubelet_mse_workspace(const TensorType& x);
void tubelet_mse_dgrad(const Stream& stream, const TubeletMse& mse, Tensor dx, View dy, View x,
                       View clip, View index, View scales);

}  // namespace framefold

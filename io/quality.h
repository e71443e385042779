// How alike a clip and its reconstruction are, frame by frame.
//
//   original        [T, H, W, C]  u8
//   reconstruction  [T, H, W, C]  u8, or f32 from 0 black to 1 white; clamped, NaN is black
//
// MSE: mean over a frame's pixels and channels, white is 1. PSNR: 10 log10(1 / MSE) dB, MSE at
// least 1e-10.
// SSIM (Wang et al. 2004): Gaussian windows of 11 x 11 pixels, sigma 1.5, weights of sum 1,
// K1 = 0.01, K2 = 0.03; the mean over all windows that lie wholly within the frame, of every
// channel by itself. What scikit-image computes with gaussian_weights=True,
// use_sample_covariance=False, data_range=1, channel_axis=-1. NaN where a side is below 11.
// Double precision, of pixels in single. Deterministic.
#pragma once

#include <vector>

#include "kernels/tensor.h"

namespace framefold {

struct FrameQuality {
  double mse = 0, psnr = 0, ssim = 0;
};

double psnr_of(double mse);
std::vector<FrameQuality> frame_quality(View original, View reconstruction);

}  // namespace framefold

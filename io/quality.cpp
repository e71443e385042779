#include "io/quality.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>

#include "kernels/error.h"
#include "kernels/simd.h"

namespace framefold {
namespace {

constexpr Index taps = 11, middle = taps / 2;
constexpr double c1 = 0.01 * 0.01, c2 = 0.03 * 0.03;
constexpr Index moments = 5;  // x, y, xx, yy, xy

using Window = std::array<double, taps>;

Window gaussian_window() {
  Window window{};
  double sum = 0;
  for (Index i = 0; i < taps; ++i) {
    const auto away = static_cast<double>(i - middle);
    sum += window[static_cast<std::size_t>(i)] = std::exp(-away * away / (2 * 1.5 * 1.5));
  }
  for (double& weight : window) weight /= sum;
  return window;
}

// Down: the moments of `taps` rows of n numbers, each weighted; sums [moments, n].
FRAMEFOLD_SIMD void blur_rows(const float* x, const float* y, Index n, const double* window,
                              double* sums) {
  double* const sx = sums;
  double* const sy = sums + n;
  double* const sxx = sums + 2 * n;
  double* const syy = sums + 3 * n;
  double* const sxy = sums + 4 * n;
  for (Index i = 0; i < n; ++i) {
    double mx = 0, my = 0, mxx = 0, myy = 0, mxy = 0;
    for (Index tap = 0; tap < taps; ++tap) {
      const double a = x[tap * n + i], b = y[tap * n + i], wa = window[tap] * a,
                   wb = window[tap] * b;
      mx += wa;
      my += wb;
      mxx += wa * a;
      myy += wb * b;
      mxy += wa * b;
    }
    sx[i] = mx;
    sy[i] = my;
    sxx[i] = mxx;
    syy[i] = myy;
    sxy[i] = mxy;
  }
}

// Across, then the index itself; similar [n - (taps - 1) * channels].
FRAMEFOLD_SIMD void similarities(const double* sums, Index n, Index channels, const double* window,
                                 double* similar) {
  for (Index i = 0; i < n - (taps - 1) * channels; ++i) {
    double mx = 0, my = 0, mxx = 0, myy = 0, mxy = 0;
    for (Index tap = 0; tap < taps; ++tap) {
      const double* const at = sums + i + tap * channels;
      mx += window[tap] * at[0];
      my += window[tap] * at[n];
      mxx += window[tap] * at[2 * n];
      myy += window[tap] * at[3 * n];
      mxy += window[tap] * at[4 * n];
    }
    const double vx = mxx - mx * mx, vy = myy - my * my, vxy = mxy - mx * my;
    similar[i] = (2 * mx * my + c1) * (2 * vxy + c2) / ((mx * mx + my * my + c1) * (vx + vy + c2));
  }
}

double ssim_of(const float* x, const float* y, Index height, Index width, Index channels) {
  if (height < taps || width < taps) return std::numeric_limits<double>::quiet_NaN();
  static const Window window = gaussian_window();
  const Index n = width * channels, count = n - (taps - 1) * channels;
  std::vector<double> sums(static_cast<std::size_t>(moments * n));
  std::vector<double> similar(static_cast<std::size_t>(count));
  double sum = 0;
  for (Index row = 0; row + taps <= height; ++row) {
    blur_rows(x + row * n, y + row * n, n, window.data(), sums.data());
    similarities(sums.data(), n, channels, window.data(), similar.data());
    for (const double value : similar) sum += value;
  }
  return sum / static_cast<double>(count * (height - taps + 1));
}

// Frame t as floats from 0 to 1.
void unpack(View clip, Index t, std::vector<float>& frame) {
  const auto size = static_cast<Index>(frame.size());
  for (Index i = 0; i < size; ++i) {
    float value = 0;
    if (clip.dtype == DType::u8) {
      value = static_cast<float>(clip.as<std::uint8_t>()[t * size + i]) / 255;
    } else {
      value = clip.as<float>()[t * size + i];
      value = value > 0 ? std::min(value, 1.0F) : 0.0F;
    }
    frame[static_cast<std::size_t>(i)] = value;
  }
}

}  // namespace

double psnr_of(double mse) { return -10 * std::log10(std::max(mse, 1e-10)); }

std::vector<FrameQuality> frame_quality(View original, View reconstruction) {
  const Shape& shape = original.shape;
  const bool known = reconstruction.dtype == DType::u8 || reconstruction.dtype == DType::f32;
  if (original.dtype != DType::u8 || !known || shape.rank() != 4 || original.size() == 0 ||
      reconstruction.shape != shape)
    fail(ErrorCode::shape, "quality: the original is ", original.type(), ", the reconstruction ",
         reconstruction.type(), "; expected u8 and u8 or f32 of one shape [T, H, W, C]");
  const auto size = static_cast<std::size_t>(shape[1] * shape[2] * shape[3]);
  std::vector<float> x(size), y(size);
  std::vector<FrameQuality> frames;
  for (Index t = 0; t < shape[0]; ++t) {
    unpack(original, t, x);
    unpack(reconstruction, t, y);
    double sum = 0;
    for (std::size_t i = 0; i < size; ++i) {
      const double error = static_cast<double>(x[i]) - static_cast<double>(y[i]);
      sum += error * error;
    }
    const double mse = sum / static_cast<double>(size);
    frames.push_back(
        {mse, psnr_of(mse), ssim_of(x.data(), y.data(), shape[1], shape[2], shape[3])});
  }
  return frames;
}

}  // namespace framefold

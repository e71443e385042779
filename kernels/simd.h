// Our own vector loops: plain loops that the compiler vectorises once for each instruction set;
// the processor's own is chosen when the program is loaded. Never -march=native.
//
//   FRAMEFOLD_SIMD void add(float* y, const float* a, const float* b, Index n) {
//     for (Index i = 0; i < n; ++i) y[i] = a[i] + b[i];
//   }
//
// Such a function is neither inline nor a template. Sums need `#pragma omp simd reduction(+:s)`.
// The functions below have no branches and no calls, so loops over them vectorise.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define FRAMEFOLD_SIMD __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define FRAMEFOLD_SIMD
#endif

namespace framefold::simd {

// e^x by Cody and Waite's reduction and a polynomial (Cephes); relative error below 2e-7.
// Results below the smallest normal number are 0, above the largest they are infinity.
__attribute__((always_inline)) inline float exp(float x) {
  constexpr float log2e = 1.44269504F;
  const float clamped = x < -87.3F ? -87.3F : (x > 88.7F ? 88.7F : x);
  const float shifted = clamped * log2e + 12582912.0F;  // 1.5 * 2^23: rounds to an integer
  const float n = shifted - 12582912.0F;
  float r = clamped - n * 0.693359375F;
  r -= n * -2.12194440e-4F;
  float p = 1.9875691500e-4F;
  p = p * r + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  p = p * r * r + r + 1.0F;
  // 2^n in two halves, so that n = 128 does not overflow on the way.
  const auto whole = static_cast<std::int32_t>(n);
  const std::int32_t half = whole >> 1;
  const float s1 = std::bit_cast<float>((half + 127) << 23);
  const float s2 = std::bit_cast<float>((whole - half + 127) << 23);
  const float y = p * s1 * s2;
  return x < -87.3F ? 0.0F : (x > 88.72283F ? INFINITY : (x != x ? x : y));
}

// log(x) for normal x > 0 (Cephes), relative error below 2e-7.
__attribute__((always_inline)) inline float log(float x) {
  const auto bits = std::bit_cast<std::int32_t>(x);
  const std::int32_t raised = bits - 0x3f3504f3;  // mantissa into [sqrt(1/2), sqrt(2))
  const auto e = static_cast<float>(raised >> 23);
  const float m = std::bit_cast<float>((raised & 0x007fffff) + 0x3f3504f3) - 1.0F;
  float p = 7.0376836292e-2F;
  p = p * m - 1.1514610310e-1F;
  p = p * m + 1.1676998740e-1F;
  p = p * m - 1.2420140846e-1F;
  p = p * m + 1.4249322787e-1F;
  p = p * m - 1.6668057665e-1F;
  p = p * m + 2.0000714765e-1F;
  p = p * m - 2.4999993993e-1F;
  p = p * m + 3.3333331174e-1F;
  const float m2 = m * m;
  float y = p * m * m2;
  y += e * -2.12194440e-4F;
  y -= 0.5F * m2;
  return m + y + e * 0.693359375F;
}

__attribute__((always_inline)) inline float sigmoid(float x) { return 1.0F / (1.0F + exp(-x)); }

// tanh(x): an odd polynomial near 0, where 1 - 2 / (e^2x + 1) would lose digits.
__attribute__((always_inline)) inline float tanh(float x) {
  const float a = std::fabs(x);
  const float far = 1.0F - 2.0F / (exp(2.0F * a) + 1.0F);
  const float s = x * x;
  float p = -5.70498872745e-3F;
  p = p * s + 2.06390887954e-2F;
  p = p * s - 5.37397155531e-2F;
  p = p * s + 1.33314422036e-1F;
  p = p * s - 3.33332819422e-1F;
  const float near = x + x * s * p;
  return a < 0.625F ? near : std::copysign(far, x);
}

// erf(x) (Abramowitz and Stegun 7.1.26), absolute error below 5e-7.
__attribute__((always_inline)) inline float erf(float x) {
  const float a = std::fabs(x);
  const float t = 1.0F / (1.0F + 0.3275911F * a);
  float p = 1.061405429F;
  p = p * t - 1.453152027F;
  p = p * t + 1.421413741F;
  p = p * t - 0.284496736F;
  p = p * t + 0.254829592F;
  return std::copysign(1.0F - p * t * exp(-a * a), x);
}

}  // namespace framefold::simd

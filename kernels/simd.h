// Our own vector loops: plain loops that the compiler vectorises once for each instruction set;
// the processor's own is chosen when the program is loaded. Never -march=native.
//
//   FRAMEFOLD_SIMD void add(float* y, const float* a, const float* b, Index n) {
//     for (Index i = 0; i < n; ++i) y[i] = a[i] + b[i];
//   }
//
// Such a function is neither inline nor a template. Sums need sum_of with a lambda that is
// always_inline, or, where much else happens, `#pragma omp simd reduction(+:s)`.
// The functions below have no branches and no calls, so loops over them vectorise.
#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define FRAMEFOLD_SIMD __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define FRAMEFOLD_SIMD
#endif

// What such a loop calls: compiled into it, so for its instruction set.
#define FRAMEFOLD_INLINE __attribute__((always_inline)) inline

namespace framefold::simd {

// e^x for -87.3 <= x <= 88 or NaN; infinity from 88.4 to 89. Cody and Waite's reduction and a
// polynomial (Cephes), relative error below 2e-7.
FRAMEFOLD_INLINE float exp_bounded(float x) {
  constexpr float log2e = 1.44269504F;
  const float shifted = x * log2e + 12582912.0F;  // 1.5 * 2^23: its low bits hold n
  const float n = shifted - 12582912.0F;
  float r = x - n * 0.693359375F;
  r -= n * -2.12194440e-4F;
  float p = 1.9875691500e-4F;
  p = p * r + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  p = p * r * r + r + 1.0F;
  return p * std::bit_cast<float>((std::bit_cast<std::uint32_t>(shifted) << 23) +
                                  std::bit_cast<std::uint32_t>(1.0F));
}

// e^x; results below 1.3e-38 are 0, above 2.4e38 they are infinity.
FRAMEFOLD_INLINE float exp(float x) {
  const float y = exp_bounded(x > 89.0F ? 89.0F : x);
  return x < -87.3F ? 0.0F : y;
}

// log(x) for normal x > 0 (Cephes), relative error below 2e-7.
FRAMEFOLD_INLINE float log(float x) {
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

FRAMEFOLD_INLINE float sigmoid(float x) {
  const float clamped = x < -89.0F ? -89.0F : (x > 87.0F ? 87.0F : x);
  return 1.0F / (1.0F + exp_bounded(-clamped));
}

// tanh(x): an odd polynomial near 0, where 1 - 2 / (e^2x + 1) would lose digits.
FRAMEFOLD_INLINE float tanh(float x) {
  const float a = std::fabs(x);
  const float far = 1.0F - 2.0F / (exp_bounded(a > 10.0F ? 20.0F : 2.0F * a) + 1.0F);
  const float s = x * x;
  float p = -5.70498872745e-3F;
  p = p * s + 2.06390887954e-2F;
  p = p * s - 5.37397155531e-2F;
  p = p * s + 1.33314422036e-1F;
  p = p * s - 3.33332819422e-1F;
  const float near = x + x * s * p;
  return a < 0.625F ? near : std::copysign(far, x);
}

// erf(x): an odd polynomial near 0, 1 - e^-p(|x|) beyond; minimax fits, relative error below 2e-7.
FRAMEFOLD_INLINE float erf(float x) {
  const float a = std::fabs(x);
  const float s = x * x;
  float p = -5.99944091e-4F;
  p = p * s + 4.99483896e-3F;
  p = p * s - 2.67677270e-2F;
  p = p * s + 1.12818465e-1F;
  p = p * s - 3.76124978e-1F;
  p = p * s + 1.28379151e-1F;
  const float near = x + x * p;
  const float t = a > 4.0F ? 4.0F : a;  // erf(4) rounds to 1
  float q = -2.13985099e-4F;
  q = q * t + 3.21495673e-3F;
  q = q * t - 2.28899680e-2F;
  q = q * t + 1.05261847e-1F;
  q = q * t + 6.35718286e-1F;
  q = q * t + 1.12851441F;
  const float far = 1.0F - exp_bounded(-q * t);
  return a < 0.92F ? near : std::copysign(far, x);
}

// cos(2 pi u) for u in [0, 1), absolute error below 3e-7.
FRAMEFOLD_INLINE float cos_turns(float u) {
  const float x = std::fabs(u - 0.5F) - 0.25F;  // cos(2 pi u) = sin(2 pi x), |x| <= 1/4
  const float s = x * x;
  float p = 3.97109718e1F;
  p = p * s - 7.65749969e1F;
  p = p * s + 8.16022339e1F;
  p = p * s - 4.13416786e1F;
  p = p * s + 6.28318548F;
  return x * p;
}

// The sum of term(0) ... term(count - 1) in 64 lanes, which meet by halves: the same order for
// every instruction set, and neither the terms nor the lanes wait for one another.
template <class Term>
FRAMEFOLD_INLINE float sum_of(std::ptrdiff_t count, Term term) {
  constexpr std::ptrdiff_t lanes = 64;
  float part[lanes] = {};
  std::ptrdiff_t i = 0;
  for (; i + lanes <= count; i += lanes)
    for (std::ptrdiff_t l = 0; l < lanes; ++l) part[l] += term(i + l);
  for (std::ptrdiff_t l = 0; l < count - i; ++l) part[l] += term(i + l);
#pragma GCC unroll 8
  for (std::ptrdiff_t half = lanes / 2; half > 0; half /= 2)
    for (std::ptrdiff_t l = 0; l < half; ++l) part[l] += part[l + half];
  return part[0];
}

}  // namespace framefold::simd

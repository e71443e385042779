#include "kernels/simd.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace framefold {
namespace {

// Through vector loops, as the kernels call them; 1003 leaves a tail for every vector length.
constexpr int batch = 1003;

#define FRAMEFOLD_TEST_LOOP(f)                                    \
  FRAMEFOLD_SIMD void f##_loop(float* y, const float* x, int n) { \
    for (int i = 0; i < n; ++i) y[i] = simd::f(x[i]);             \
  }
FRAMEFOLD_TEST_LOOP(exp)
FRAMEFOLD_TEST_LOOP(log)
FRAMEFOLD_TEST_LOOP(sigmoid)
FRAMEFOLD_TEST_LOOP(tanh)
FRAMEFOLD_TEST_LOOP(erf)
FRAMEFOLD_TEST_LOOP(cos_turns)

using Loop = void (*)(float*, const float*, int);

struct Errors {
  double absolute = 0;
  double relative = 0;
};

// The largest errors on about 600,000 points of [low, high].
Errors errors_of(Loop loop, double (*exact)(double), float low, float high) {
  Errors worst;
  std::vector<float> x(batch);
  std::vector<float> y(batch);
  constexpr int batches = 600;
  for (int b = 0; b < batches; ++b) {
    for (int i = 0; i < batch; ++i)
      x[static_cast<std::size_t>(i)] =
          low + (high - low) * static_cast<float>(b * batch + i) / (batches * batch - 1);
    loop(y.data(), x.data(), batch);
    for (std::size_t i = 0; i < batch; ++i) {
      const double expected = exact(static_cast<double>(x[i]));
      const double error = std::abs(static_cast<double>(y[i]) - expected);
      worst.absolute = std::max(worst.absolute, error);
      if (expected != 0) worst.relative = std::max(worst.relative, error / std::abs(expected));
    }
  }
  return worst;
}

float one(Loop loop, float x) {
  float y = 0;
  loop(&y, &x, 1);
  return y;
}

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float nan = std::numeric_limits<float>::quiet_NaN();

TEST(Simd, Exp) {
  const auto exact = [](double x) { return std::exp(x); };
  EXPECT_LT(errors_of(exp_loop, exact, -87.29F, 88.37F).relative, 2e-7);
  EXPECT_LT(errors_of(exp_loop, exact, -1, 1).relative, 2e-7);
  EXPECT_EQ(one(exp_loop, 0), 1);
  EXPECT_EQ(one(exp_loop, -infinity), 0);
  EXPECT_EQ(one(exp_loop, -1000), 0);
  EXPECT_EQ(one(exp_loop, infinity), infinity);
  EXPECT_EQ(one(exp_loop, 89), infinity);
  EXPECT_TRUE(std::isnan(one(exp_loop, nan)));
}

TEST(Simd, Log) {
  const auto exact = [](double x) { return std::log(x); };
  EXPECT_LT(errors_of(log_loop, exact, 0.4F, 3).relative, 2e-7);
  EXPECT_LT(errors_of(log_loop, exact, 3, 1e6F).relative, 2e-7);
  EXPECT_LT(errors_of(log_loop, exact, 1e-37F, 1e-30F).relative, 2e-7);
  EXPECT_EQ(one(log_loop, 1), 0);
}

TEST(Simd, Sigmoid) {
  const auto exact = [](double x) { return 1 / (1 + std::exp(-x)); };
  EXPECT_LT(errors_of(sigmoid_loop, exact, -87, 87).relative, 4e-7);
  EXPECT_EQ(one(sigmoid_loop, 0), 0.5F);
  EXPECT_EQ(one(sigmoid_loop, infinity), 1);
  EXPECT_EQ(one(sigmoid_loop, -infinity), 0);
  EXPECT_TRUE(std::isnan(one(sigmoid_loop, nan)));
}

TEST(Simd, Tanh) {
  const auto exact = [](double x) { return std::tanh(x); };
  EXPECT_LT(errors_of(tanh_loop, exact, -12, 12).relative, 3e-7);
  EXPECT_LT(errors_of(tanh_loop, exact, -0.01F, 0.01F).relative, 3e-7);
  EXPECT_EQ(one(tanh_loop, infinity), 1);
  EXPECT_EQ(one(tanh_loop, -infinity), -1);
  EXPECT_TRUE(std::isnan(one(tanh_loop, nan)));
}

TEST(Simd, Erf) {
  const auto exact = [](double x) { return std::erf(x); };
  EXPECT_LT(errors_of(erf_loop, exact, -5, 5).relative, 2e-7);
  EXPECT_LT(errors_of(erf_loop, exact, -0.01F, 0.01F).relative, 2e-7);
  EXPECT_EQ(one(erf_loop, infinity), 1);
  EXPECT_EQ(one(erf_loop, -infinity), -1);
  EXPECT_TRUE(std::isnan(one(erf_loop, nan)));
}

TEST(Simd, CosTurns) {
  const auto exact = [](double u) { return std::cos(2 * 3.14159265358979323846 * u); };
  EXPECT_LT(errors_of(cos_turns_loop, exact, 0, 0x1.fffffep-1F).absolute, 3e-7);
  EXPECT_NEAR(one(cos_turns_loop, 0), 1, 3e-7);
  EXPECT_NEAR(one(cos_turns_loop, 0.5F), -1, 3e-7);
  EXPECT_EQ(one(cos_turns_loop, 0.25F), 0);
}

}  // namespace
}  // namespace framefold

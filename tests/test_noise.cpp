#include "kernels/noise.h"

#include <gtest/gtest.h>

#include "engine/ops.h"
#include "tests/arrays.h"
#include "tests/op_cases.h"

namespace framefold {

// Less than a chunk of random numbers, one, and more; more than one thread's share; much clipped.
OP_CASES(noise) {
  const auto build = [](Graph& g, const std::vector<Value>& v) {
    noise(g, v[0], {.amount = 0.5F, .low = -1, .high = 1.5F});
  };
  for (const Index n : {1, 17, 256, 257}) add({.in = {{n}}, .build = build});
  add({.in = {{3, 20001}}, .build = build});
}

namespace test {
namespace {

TEST(Noise, IsPhiloxNormalAndClipped) {
  constexpr Index n = 40011;
  const Random random{.seed = 4, .stream = 9};
  for (const Stream& stream : each_path()) {
    Array<> x{{n}, std::vector<float>(n, 0.5F)};
    Array<> y{{n}};
    Array<> dx{{n}};
    noise_forward(stream, {.amount = 0.4F}, random, y, x);
    noise_dgrad(stream, {.amount = 0.4F}, dx, x, y);
    int clipped = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const float free = 0.5F + 0.4F * random.normal(i);
      ASSERT_NEAR(y.values[i], std::clamp(free, 0.0F, 1.0F), 2e-6F) << i;
      const bool held = y.values[i] <= 0 || y.values[i] >= 1;
      ASSERT_EQ(dx.values[i], held ? 0.0F : 0.5F) << i;
      clipped += held;
    }
    // 2 Phi(-1.25) of them, within five standard errors.
    EXPECT_NEAR(static_cast<double>(clipped) / n, 0.2113, 5 * std::sqrt(0.21 * 0.79 / n));
  }
}

TEST(Noise, OnlyWhileTraining) {
  Graph g(Mode::evaluate);
  const Value x = g.input("x", {DType::f32, {3}});
  EXPECT_EQ(noise(g, x, {.amount = 0.5F}), x);
}

TEST(Noise, WrongBoundsAreNamed) {
  Graph g;
  const Value x = g.input("x", {DType::f32, {3}});
  expect_error(ErrorCode::argument, "noise: low is 1 and high 0, expected low below high",
               [&] { noise(g, x, {.low = 1, .high = 0}); });
}

}  // namespace
}  // namespace test
}  // namespace framefold

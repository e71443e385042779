#include "kernels/dropout.h"

#include <gtest/gtest.h>

#include "engine/ops.h"
#include "tests/arrays.h"
#include "tests/op_cases.h"

namespace framefold {

// Less than a chunk of random numbers, one, and more; more than one thread's share.
OP_CASES(dropout) {
  const auto build = [](Graph& g, const std::vector<Value>& v) { dropout(g, v[0], 0.3F); };
  for (const Index n : {1, 17, 256, 257}) add({.in = {{n}}, .build = build});
  add({.in = {{3, 20001}}, .build = build});
  add({.in = {{9, 3, 7}},
       .build = [](Graph& g, const std::vector<Value>& v) { drop_path(g, v[0], 0.3F); }});
}

namespace test {
namespace {

TEST(Dropout, TheMaskIsPhiloxAtEveryElement) {
  constexpr Index n = 40011;
  const Random random{.seed = 4, .stream = 9};
  const Array<> x{{n}, std::vector<float>(n, 3)};
  for (const Stream& stream : each_path()) {
    Array<> y{{n}};
    dropout(stream, 0.25F, 1, random, y, Array<>(x));
    Index kept = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const bool keeps = random.word(i) >= 0x40000000U;
      ASSERT_EQ(y.values[i], keeps ? 4.0F : 0.0F) << i;
      kept += keeps;
    }
    // Five standard errors.
    EXPECT_NEAR(static_cast<double>(kept) / n, 0.75, 5 * std::sqrt(0.75 * 0.25 / n));
  }
}

TEST(Dropout, WholeSamplesShareADraw) {
  constexpr Index samples = 50;
  constexpr Index each = 33;
  const Random random{.seed = 4, .stream = 9};
  const Array<> x{{samples, each}, std::vector<float>(samples * each, 3)};
  for (const Stream& stream : each_path()) {
    Array<> y{{samples, each}};
    dropout(stream, 0.25F, each, random, y, Array<>(x));
    for (std::size_t i = 0; i < y.values.size(); ++i)
      ASSERT_EQ(y.values[i], random.word(i / each) >= 0x40000000U ? 4.0F : 0.0F) << i;
  }
}

TEST(Dropout, OnlyWhileTraining) {
  Graph evaluating(Mode::evaluate);
  const Value x = evaluating.input("x", {DType::f32, {3}});
  EXPECT_EQ(dropout(evaluating, x, 0.5F), x);
  Graph training;
  const Value z = training.input("x", {DType::f32, {3}});
  EXPECT_EQ(dropout(training, z, 0), z);
  expect_error(ErrorCode::argument, "dropout: rate is 1, expected at least 0 and below 1",
               [&] { dropout(training, z, 1); });
}

}  // namespace
}  // namespace test
}  // namespace framefold

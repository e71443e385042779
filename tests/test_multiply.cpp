#include "kernels/multiply.h"

#include <gtest/gtest.h>

#include "engine/ops.h"
#include "tests/arrays.h"
#include "tests/op_cases.h"

namespace framefold {

OP_CASES(multiply) {
  const auto build = [](Graph& g, const std::vector<Value>& v) { multiply(g, v[0], v[1]); };
  for (const Index n : {1, 17, 40011}) add({.in = {{n}, {n}}, .build = build});
  add({.in = {{3, 2, 5}, {3, 2, 5}}, .build = build});
}

namespace test {
namespace {

TEST(Multiply, HandComputed) {
  for (const Stream& stream : each_path()) {
    Array<> y{{3}};
    multiply(stream, y, Array<>{{3}, {1, -2, 3}}, Array<>{{3}, {4, 5, -6}});
    EXPECT_EQ(y.values, (std::vector<float>{4, -10, -18}));
  }
}

TEST(Multiply, AWrongOperandIsNamed) {
  Graph g;
  const Value a = g.input("a", {DType::f32, {2, 3}});
  const Value b = g.input("b", {DType::f32, {3}});
  expect_error(ErrorCode::shape, "multiply: b is f32 [3], expected f32 [2, 3] as a",
               [&] { multiply(g, a, b); });
}

}  // namespace
}  // namespace test
}  // namespace framefold

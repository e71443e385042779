#include "kernels/add.h"

#include <gtest/gtest.h>

#include "engine/ops.h"
#include "tests/arrays.h"
#include "tests/op_cases.h"

namespace framefold {

// Alike; a bias of few and of many columns; a table so wide that threads share its columns.
OP_CASES(add) {
  const auto build = [](Graph& g, const std::vector<Value>& v) { framefold::add(g, v[0], v[1]); };
  for (const Index n : {1, 17, 40011}) add({.in = {{n}, {n}}, .build = build});
  add({.in = {{3, 2, 5}, {3, 2, 5}}, .build = build});
  add({.in = {{17, 1}, {1}}, .build = build});
  add({.in = {{2, 4, 5, 3}, {3}}, .build = build});
  add({.in = {{5, 24}, {24}}, .build = build});
  add({.in = {{3, 7, 65}, {7, 65}}, .build = build});
  add({.in = {{1, 33}, {33}}, .build = build});
  add({.in = {{12007, 3}, {3}}, .build = build});
  add({.in = {{3, 20001}, {20001}}, .build = build});
}

namespace test {
namespace {

TEST(Add, HandComputed) {
  for (const Stream& stream : each_path()) {
    Array<> x{{2, 3}, {1, 2, 3, 4, 5, 6}};
    Array<> y{{2, 3}};
    add_forward(stream, y, x, x);
    EXPECT_EQ(y.values, (std::vector<float>{2, 4, 6, 8, 10, 12}));
    add_forward(stream, y, x, Array<>{{3}, {10, 20, 30}});
    EXPECT_EQ(y.values, (std::vector<float>{11, 22, 33, 14, 25, 36}));

    const TensorType b{DType::f32, {3}};
    std::vector<double> space(add_wgrad_workspace(stream, b, {DType::f32, {2, 3}}) / 8);
    Array<> db{{3}, {100, 200, 300}};
    add_wgrad(stream, db, Workspace(space.data(), 8 * space.size()), x);
    EXPECT_EQ(db.values, (std::vector<float>{105, 207, 309}));
  }
}

TEST(Add, AWrongOperandIsNamed) {
  Graph g;
  const Value x = g.input("x", {DType::f32, {8, 16, 32}});
  const Value b = g.parameter("b", {16}, Init::zeros());
  expect_error(ErrorCode::shape,
               "add: b is f32 [16], expected f32 [8, 16, 32] as x or f32 with the last axes of x",
               [&] { add(g, x, b); });
}

}  // namespace
}  // namespace test
}  // namespace framefold

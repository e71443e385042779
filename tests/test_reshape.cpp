#include "engine/ops.h"
#include "tests/arrays.h"
#include "tests/op_cases.h"

namespace framefold::test {

OP_CASES(reshape) {
  const auto view = [&](const Operand& x, const Shape& shape) {
    add({.in = {x},
         .build = [=](Graph& g, const std::vector<Value>& v) { reshape(g, v[0], shape); }});
  };
  view({2, 3, 4}, {6, 4});
  view({1}, {});
  view({DType::u8, {2, 6}}, {3, 4});
}

namespace {

TEST(Reshape, KeepsTypeAndElements) {
  Graph g;
  const Value x = g.input("x", {DType::bf16, {2, 3, 4}});
  EXPECT_EQ(g.type(reshape(g, x, {4, 6})), (TensorType{DType::bf16, {4, 6}}));
  expect_error(ErrorCode::shape, "reshape: x [2, 3, 4] has 24 elements, [5, 5] has 25", [&] {
    reshape(g, x, {5, 5});
  });
}

}  // namespace
}  // namespace framefold::test

#include "kernels/concat.h"

#include "engine/ops.h"
#include "tests/arrays.h"
#include "tests/op_cases.h"

namespace framefold::test {

// One to sixteen parts, every axis, parts of one element and beyond what one thread takes.
OP_CASES(concat) {
  const auto join = [&](std::vector<Operand> in, int axis) {
    add({.in = std::move(in),
         .build = [=](Graph& g, const std::vector<Value>& v) { concat(g, v, axis); }});
  };
  join({{2, 3}}, 0);
  join({{2, 3, 4}, {1, 3, 4}, {5, 3, 4}}, 0);
  join({{2, 3, 4}, {2, 1, 4}}, 1);
  join({{2, 3, 1}, {2, 3, 2}, {2, 3, 3}, {2, 3, 4}, {2, 3, 5}}, -1);
  join({{3, 60, 100}, {3, 170, 100}}, 1);
  join(std::vector<Operand>(concat_limit, Operand{2, 1}), 1);
  join({{DType::u8, {2, 3}}, {DType::u8, {2, 2}}}, 1);
}

namespace {

TEST(Concat, HandComputed) {
  Array<> a{{2, 1}, {1, 2}};
  Array<> b{{2, 2}, {3, 4, 5, 6}};
  for (const Stream& stream : each_path()) {
    Array<> y{{2, 3}};
    concat_forward(stream, y, std::vector<Tensor>{a, b}, 1);
    EXPECT_EQ(y.values, (std::vector<float>{1, 3, 4, 2, 5, 6}));
    Array<> db{{2, 2}};
    concat_dgrad(stream, std::vector<Tensor>{{nullptr, DType::f32, {2, 1}}, db}, y, 1);
    EXPECT_EQ(db.values, b.values);
  }
}

TEST(Concat, ErrorsNameTheInput) {
  Graph g;
  const Value a = g.input("a", {DType::f32, {4, 5}});
  const Value b = g.input("b", {DType::f32, {3, 5}});
  const Value c = g.input("c", {DType::bf16, {4, 2}});
  expect_error(ErrorCode::shape,
               "concat: input 1 is f32 [3, 5], expected f32 [4, 5] to match input 0 in all but "
               "axis 1",
               [&] {
                 concat(g, {a, b}, 1);
               });
  expect_error(ErrorCode::shape,
               "concat: input 2 is bf16 [4, 2], expected f32 [4, 2] to match input 0 in all but "
               "axis 1",
               [&] {
                 concat(g, {a, a, c}, -1);
               });
  expect_error(ErrorCode::argument, "concat: 17 inputs were given, expected 1 to 16",
               [&] { concat(g, std::vector<Value>(17, a), 0); });
  expect_error(ErrorCode::argument, "concat: 0 inputs were given, expected 1 to 16",
               [&] { concat(g, {}, 0); });
}

}  // namespace
}  // namespace framefold::test

#include "kernels/permute.h"

#include "engine/ops.h"
#include "tests/arrays.h"
#include "tests/op_cases.h"

namespace framefold::test {

// The last axis kept and moved; rows and columns of one element, less and more than a tile, with
// remainders; merged and unit axes; views; every size of element.
OP_CASES(permute) {
  const auto order = [&](const Operand& x, const std::vector<int>& axes) {
    add({.in = {x},
         .build = [=](Graph& g, const std::vector<Value>& v) { permute(g, v[0], axes); }});
  };
  order({2, 3}, {1, 0});
  order({2, 3, 4}, {1, 0, 2});
  order({2, 3, 4}, {2, 1, 0});
  order({2, 3, 4}, {0, 1, 2});
  order({1, 5, 1, 7}, {2, 1, 0, 3});
  order({1}, {0});
  order({65, 131}, {1, 0});
  order({4, 64, 128}, {0, 2, 1});
  order({2, 3, 5, 7, 6}, {0, 4, 1, 2, 3});
  order({2, 6, 3, 5, 7}, {0, 2, 3, 4, 1});
  order({2, 30, 3, 6, 16}, {2, 0, 3, 1, 4});
  order({2, 2, 2, 3, 4, 3, 4, 3}, {0, 1, 3, 5, 2, 4, 6, 7});
  order({2, 3, 2, 3, 2, 3, 2, 3}, {7, 5, 3, 1, 6, 4, 2, 0});
  order({DType::u8, {19, 70}}, {1, 0});
  order({DType::i32, {3, 4, 5}}, {1, 0, 2});
}

namespace {

TEST(Permute, HandComputed) {
  const Array<> x{{2, 3, 2}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}};
  for (const Stream& stream : each_path()) {
    Array<> y{{3, 2, 2}};
    const int axes[] = {1, 2, 0};
    permute_forward(stream, y, x, axes);
    EXPECT_EQ(y.values, (std::vector<float>{0, 6, 1, 7, 2, 8, 3, 9, 4, 10, 5, 11}));
    Array<> dx{x.shape};
    permute_dgrad(stream, dx, y, axes);
    EXPECT_EQ(dx.values, x.values);
  }
}

TEST(Permute, IsAViewWhereOnlyUnitAxesMove) {
  const int swap[] = {1, 0, 2};
  EXPECT_TRUE(permute_is_alias({1, 3, 4}, swap));
  EXPECT_FALSE(permute_is_alias({2, 3, 4}, swap));
}

TEST(Permute, AWrongOrderIsNamed) {
  Graph g;
  const Value x = g.input("x", {DType::f32, {4, 5}});
  for (const std::vector<int>& axes : {std::vector<int>{0, 0}, {0, 2}, {0, -1}})
    expect_error(ErrorCode::argument,
                 text("permute: the order (", axes[0], ", ", axes[1],
                      ") of the axes of x [4, 5] does not name each of 0 to 1 once"),
                 [&] { permute(g, x, axes); });
  expect_error(ErrorCode::argument,
               "permute: the order (0) of the axes of x [4, 5] does not name each of 0 to 1 once",
               [&] { permute(g, x, {0}); });
  expect_error(
      ErrorCode::argument,
      "permute: the order (0, 1, 1) of the axes of x [4, 5] does not name each of 0 to 1 once",
      [&] {
        permute(g, x, {0, 1, 1});
      });
}

}  // namespace
}  // namespace framefold::test

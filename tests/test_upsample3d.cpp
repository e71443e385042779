#include "kernels/upsample3d.h"

#include "engine/ops.h"
#include "tests/arrays.h"
#include "tests/op_cases.h"

namespace framefold::test {

// Doubled, odd and unequal sizes, unchanged, shrunk past a neighbour, from and to one position.
OP_CASES(upsample3d) {
  const auto to = [&](const Operand& x, const Extents& size) {
    for (const Upsampling kind : {Upsampling::nearest, Upsampling::trilinear})
      add({.in = {x},
           .build = [=](Graph& g, const std::vector<Value>& v) { upsample3d(g, v[0], size, kind); },
           .name = kind == Upsampling::nearest ? "nearest" : "trilinear"});
  };
  to({2, 2, 3, 4, 5}, {4, 6, 8});
  to({1, 1, 5, 7, 17}, {1, 11, 9});
  to({2, 3, 4, 5, 2}, {3, 4, 5});
  to({1, 5, 9, 7, 3}, {2, 2, 3});
  to({1, 1, 1, 1, 1}, {2, 3, 4});
  to({1, 2, 2, 3, 8}, {3, 4, 4});
  to({2, 3, 2, 3, 1}, {1, 1, 1});
  to({1, 4, 12, 16, 33}, {8, 24, 32});
}

namespace {

Array<> upsampled(const Stream& stream, Upsampling kind, const Array<>& x, const Shape& shape) {
  Array<> y{shape};
  std::vector<std::byte> space(upsample3d_workspace(stream, x.shape, shape));
  upsample3d_forward(stream, kind, y, {space.data(), space.size()}, x);
  return y;
}

Array<> gradient(const Stream& stream, Upsampling kind, const Shape& shape, const Array<>& dy) {
  Array<> dx{shape};
  std::vector<std::byte> space(upsample3d_workspace(stream, shape, dy.shape));
  upsample3d_dgrad(stream, kind, dx, {space.data(), space.size()}, dy);
  return dx;
}

TEST(Upsample3d, HandComputed) {
  const Array<> row{{1, 1, 1, 3, 1}, {10, 20, 40}};
  const Array<> square{{1, 1, 2, 2, 1}, {0, 16, 32, 64}};
  using Values = std::vector<float>;
  for (const Stream& stream : each_path()) {
    // Positions 0 0.6 1.2 1.8 2.4 without their fractions, and -0.2 -> 0, 0.4, 1, 1.6, 2.2 -> 2.
    EXPECT_EQ(upsampled(stream, Upsampling::nearest, row, {1, 1, 1, 5, 1}).values,
              (Values{10, 10, 20, 20, 40}));
    expect_near(upsampled(stream, Upsampling::trilinear, row, {1, 1, 1, 5, 1}).values,
                {10, 14, 20, 32, 40}, 1e-5);
    // Shrunk to two: positions 0.25 and 1.75.
    expect_near(upsampled(stream, Upsampling::trilinear, row, {1, 1, 1, 2, 1}).values, {12.5F, 35},
                1e-5);
    // Quarters and three quarters along both axes.
    EXPECT_EQ(upsampled(stream, Upsampling::trilinear, square, {1, 1, 4, 4, 1}).values,
              (Values{0, 4, 12, 16, 8, 13, 23, 28, 24, 31, 45, 52, 32, 40, 56, 64}));
    EXPECT_EQ(
        gradient(stream, Upsampling::nearest, row.shape, Array<>{{1, 1, 1, 5, 1}, {1, 2, 3, 4, 5}})
            .values,
        (Values{3, 7, 5}));
    expect_near(gradient(stream, Upsampling::trilinear, row.shape,
                         Array<>{{1, 1, 1, 5, 1}, {1, 2, 3, 4, 5}})
                    .values,
                {2.2F, 5.4F, 7.4F}, 1e-6);
    // Positions that nothing reads get zero.
    EXPECT_EQ(
        gradient(stream, Upsampling::nearest, row.shape, Array<>{{1, 1, 1, 1, 1}, {7}}).values,
        (Values{7, 0, 0}));
  }
}

TEST(Upsample3d, ErrorsNameTheAxis) {
  Graph g;
  const Value x = g.input("x", {DType::f32, {1, 2, 3, 4, 5}});
  expect_error(ErrorCode::argument, "upsample3d: the size 0 along H is below 1", [&] {
    upsample3d(g, x, {2, 0, 2}, Upsampling::nearest);
  });
  const Value row = g.input("row", {DType::f32, {2, 3}});
  expect_error(ErrorCode::shape,
               "upsample3d: x is f32 [2, 3], expected [B, T, H, W, C], none of them 0", [&] {
                 upsample3d(g, row, {1, 1, 1}, Upsampling::nearest);
               });
}

}  // namespace
}  // namespace framefold::test

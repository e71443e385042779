#include "kernels/max_pool3d.h"

#include "engine/ops.h"
#include "tests/arrays.h"
#include "tests/op_cases.h"
#include "tests/pool_cases.h"

namespace framefold::test {

OP_CASES(max_pool3d) {
  for (const PoolCase& value : pool_cases())
    add({.in = {value.x},
         .build = [=](Graph& g, const std::vector<Value>& v) { max_pool3d(g, v[0], value.pool); }});
}

namespace {

TEST(MaxPool3d, HandComputed) {
  // One frame of 3 by 4; windows of 2 by 2, one apart along H and two along W.
  const Array<> x{{1, 1, 3, 4, 1}, {1, 2, 3, 4, 5, 9, 5, 6, 7, 8, 6, 6}};
  const Pool3d pool{.kernel = {1, 2, 2}, .stride = {1, 1, 2}};
  for (const Stream& stream : each_path()) {
    Array<> y{{1, 1, 2, 2, 1}};
    Array<std::int32_t> argmax{y.shape};
    max_pool3d_forward(stream, pool, y, argmax, x);
    EXPECT_EQ(y.values, (std::vector<float>{9, 6, 9, 6}));
    EXPECT_EQ(argmax.values, (std::vector<std::int32_t>{5, 7, 5, 7}));
    Array<> dx{x.shape};
    max_pool3d_dgrad(stream, pool, dx, Array<>{y.shape, {1, 2, 4, 8}}, argmax);
    EXPECT_EQ(dx.values, (std::vector<float>{0, 0, 0, 0, 0, 5, 0, 10, 0, 0, 0, 0}));
  }
}

TEST(MaxPool3d, PaddingNeverWinsAndNanAlwaysDoes) {
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  const Array<> x{{1, 1, 1, 4, 1}, {-1, -2, nan, 5}};
  const Pool3d pool{.kernel = {1, 1, 2}, .stride = {1, 1, 2}, .padding = {0, 0, 1}};
  for (const Stream& stream : each_path()) {
    Array<> y{{1, 1, 1, 3, 1}};
    Array<std::int32_t> argmax{y.shape};
    max_pool3d_forward(stream, pool, y, argmax, x);
    EXPECT_EQ(y.values[0], -1);
    EXPECT_TRUE(std::isnan(y.values[1]));
    EXPECT_EQ(y.values[2], 5);
    EXPECT_EQ(argmax.values, (std::vector<std::int32_t>{0, 2, 3}));
  }
}

TEST(MaxPool3d, ErrorsNameTheWindow) {
  Graph g;
  const Value x = g.input("x", {DType::f32, {1, 2, 3, 4, 5}});
  expect_error(ErrorCode::shape,
               "max_pool3d: x is f32 [4], expected [B, T, H, W, C], none of them 0", [&] {
                 max_pool3d(g, g.input("y", {DType::f32, {4}}), {});
               });
  expect_error(
      ErrorCode::argument,
      "max_pool3d: kernel 2, stride 2 and padding 2 along H, expected kernel and stride of "
      "at least 1 and a padding of at most half the kernel",
      [&] {
        max_pool3d(g, x, {.padding = {0, 2, 0}});
      });
  expect_error(ErrorCode::shape,
               "max_pool3d: kernel 5 is longer than axis T of x [1, 2, 3, 4, 5] with padding 1",
               [&] {
                 max_pool3d(g, x, {.kernel = {5, 1, 1}, .padding = {1, 0, 0}});
               });
  const Value y = g.input("z", {DType::f32, {1, 1, 65536, 32768, 1}});
  expect_error(ErrorCode::shape,
               "max_pool3d: x [1, 1, 65536, 32768, 1] has more positions a clip than an i32 counts",
               [&] {
                 max_pool3d(g, y, {.kernel = {1, 1, 1}});
               });
}

}  // namespace
}  // namespace framefold::test

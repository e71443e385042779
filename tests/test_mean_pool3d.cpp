#include "kernels/mean_pool3d.h"

#include "engine/ops.h"
#include "tests/arrays.h"
#include "tests/op_cases.h"
#include "tests/pool_cases.h"

namespace framefold::test {

OP_CASES(mean_pool3d) {
  for (const PoolCase& value : pool_cases())
    add({.in = {value.x}, .build = [=](Graph& g, const std::vector<Value>& v) {
           mean_pool3d(g, v[0], value.pool);
         }});
}

namespace {

TEST(MeanPool3d, HandComputed) {
  // Two frames of 1 by 3, two channels; the windows' first and last halves are padding.
  const Array<> x{{1, 2, 1, 3, 2}, {1, 10, 2, 20, 3, 30, 4, 40, 5, 50, 6, 60}};
  const Pool3d pool{.kernel = {2, 1, 2}, .stride = {2, 1, 2}, .padding = {0, 0, 1}};
  for (const Stream& stream : each_path()) {
    Array<> y{{1, 1, 1, 2, 2}};
    mean_pool3d_forward(stream, pool, y, x);
    EXPECT_EQ(y.values, (std::vector<float>{1.25F, 12.5F, 4, 40}));
    Array<> dx{x.shape};
    mean_pool3d_dgrad(stream, pool, dx, Array<>{y.shape, {4, 8, 12, 16}});
    EXPECT_EQ(dx.values, (std::vector<float>{1, 2, 3, 4, 3, 4, 1, 2, 3, 4, 3, 4}));
  }
}

TEST(MeanPool3d, PositionsBetweenWindowsGetNoGradient) {
  const Pool3d pool{.kernel = {1, 1, 1}, .stride = {1, 1, 2}};
  for (const Stream& stream : each_path()) {
    Array<> dx{{1, 1, 1, 4, 1}};
    mean_pool3d_dgrad(stream, pool, dx, Array<>{{1, 1, 1, 2, 1}, {1, 2}});
    EXPECT_EQ(dx.values, (std::vector<float>{1, 0, 2, 0}));
  }
}

TEST(MeanPool3d, ErrorsNameTheOperation) {
  Graph g;
  expect_error(ErrorCode::shape, "mean_pool3d: x is u8, expected f32, bf16 or f64", [&] {
    mean_pool3d(g, g.input("x", {DType::u8, {1, 1, 4, 4, 3}}), {});
  });
}

}  // namespace
}  // namespace framefold::test

#include "kernels/softmax.h"

#include <cmath>

#include "engine/ops.h"
#include "tests/arrays.h"
#include "tests/op_cases.h"

namespace framefold::test {

// Rows of less, one and more than a vector, and past the first-level cache; few and many of them.
OP_CASES(softmax) {
  const auto build = [](Graph& g, const std::vector<Value>& v) { softmax(g, v[0]); };
  for (const Index c : {1, 3, 16, 17, 65, 201, 1025, 2048}) add({.in = {{5, c}}, .build = build});
  add({.in = {{2, 3, 40, 40}}, .build = build});
  add({.in = {{2, 9000}}, .build = build});
  add({.in = {{4, 100}},
       .build = build,
       .name = "widely spread",
       .fill = [](int, Index i, Random random) {
         return 4 * static_cast<double>(random.normal(static_cast<std::uint64_t>(i)));
       }});
}

namespace {

TEST(Softmax, HandComputed) {
  constexpr float inf = std::numeric_limits<float>::infinity();
  const float ln2 = std::log(2.0F);
  const Array<> x{{4, 3}, {0, ln2, 0, 1000, 1000, -1000, -inf, 5, 5, -500, -500, -500}};
  for (const Stream& stream : each_path()) {
    Array<> y{x.shape};
    softmax_forward(stream, y, x);
    expect_near(y.values,
                {0.25F, 0.5F, 0.25F, 0.5F, 0.5F, 0, 0, 0.5F, 0.5F, 1 / 3.F, 1 / 3.F, 1 / 3.F},
                1e-6);
    Array<> dx{{1, 3}};
    softmax_dgrad(stream, dx, Array<>{{1, 3}, {4, 0, 8}}, Array<>{{1, 3}, {0.25F, 0.5F, 0.25F}});
    EXPECT_EQ(dx.values, (std::vector<float>{0.25F, -1.5F, 1.25F}));
  }
}

TEST(Softmax, AWrongOperandIsNamed) {
  Graph g;
  expect_error(ErrorCode::shape, "softmax: x is u8, expected f32, bf16 or f64", [&] {
    softmax(g, g.input("x", {DType::u8, {4}}));
  });
  expect_error(ErrorCode::shape, "softmax: x is [], expected [..., C]", [&] {
    softmax(g, g.input("y", {DType::f32, {}}));
  });
}

}  // namespace
}  // namespace framefold::test

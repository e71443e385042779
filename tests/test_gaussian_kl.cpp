#include "kernels/gaussian_kl.h"

#include <gtest/gtest.h>

#include <array>

#include "engine/ops.h"
#include "tests/arrays.h"
#include "tests/op_cases.h"

namespace framefold {

OP_CASES(gaussian_kl) {
  for (const LossReduction reduction : {LossReduction::mean, LossReduction::batch_mean}) {
    const auto build = [reduction](Graph& g, const std::vector<Value>& v) {
      gaussian_kl(g, v[0], v[1], reduction);
    };
    add({.in = {{1}, {1}}, .build = build});
    add({.in = {{5, 17}, {5, 17}}, .build = build});
    add({.in = {{3, 20001}, {3, 20001}}, .build = build});
  }
}

namespace test {
namespace {

TEST(GaussianKl, HandComputed) {
  Array<> mu{{2, 2}, {0, 1, -2, 0}};
  Array<> logvar{{2, 2}, {0, 0, 1, -1}};
  for (const Stream& stream : each_path()) {
    std::array<double, 8> space;
    Array<> y{{1}};
    Array<> dmu{{2, 2}};
    Array<> dlogvar{{2, 2}};
    gaussian_kl_forward(stream, LossReduction::batch_mean, y,
                        Workspace(space.data(), sizeof(space)), mu, logvar);
    // 0, 1/2, (4 + e - 2) / 2 and (1/e) / 2, over two samples
    EXPECT_NEAR(y.values[0], (0.5 + 2.3591409 + 0.1839397) / 2, 1e-6);
    gaussian_kl_dgrad(stream, LossReduction::mean, dmu, dlogvar, Array<>{{1}, {8}}, mu, logvar);
    expect_near<float>(dmu.values, {0, 2, -4, 0}, 1e-6);
    expect_near<float>(dlogvar.values, {0, 0, 1.7182818F, -0.6321206F}, 1e-6);
  }
}

TEST(GaussianKl, AWrongOperandIsNamed) {
  Graph g;
  const Value mu = g.input("mu", {DType::f32, {2, 3}});
  const Value logvar = g.input("logvar", {DType::f32, {2, 4}});
  expect_error(ErrorCode::shape, "gaussian_kl: logvar is f32 [2, 4], expected f32 [2, 3] as mu",
               [&] { gaussian_kl(g, mu, logvar); });
}

}  // namespace
}  // namespace test
}  // namespace framefold

#include "kernels/batch_norm.h"

#include "engine/ops.h"
#include "tests/arrays.h"
#include "tests/op_cases.h"

namespace framefold::test {

// Channels joined with and without rows left over, of one block and past it; fewer rows than are
// joined; rows for one thread and several, and past a stretch; both modes.
OP_CASES(batch_norm) {
  const auto norm = [&](const Operand& x, Mode mode, double mean = 0) {
    const Index c = x.shape[-1];
    add({.in = {x, {c}, {c}, {c}, {c}},
         .build =
             [](Graph& g, const std::vector<Value>& v) {
               batch_norm(g, v[0], v[1], v[2], v[3], v[4], {.momentum = 0.25F});
             },
         .name = mode == Mode::train ? "training" : "evaluation",
         .fill =
             [=](int input, Index i, Random random) {
               const double normal =
                   static_cast<double>(random.normal(static_cast<std::uint64_t>(i)));
               return input == 4 ? 0.5 + normal * normal : input == 0 ? normal + mean : normal;
             },
         .mode = mode});
  };
  for (const Mode mode : {Mode::train, Mode::evaluate}) {
    norm({7, 1}, mode);
    norm({2, 3, 4, 5, 3}, mode);
    norm({3, 21}, mode);
    norm({300, 16}, mode);
    norm({70, 64}, mode);
    norm({40, 65}, mode);
    norm({3, 513}, mode);
    norm({40, 1030}, mode);
  }
  norm({1, 5}, Mode::evaluate);
  norm({600, 8}, Mode::train, 30);
}

namespace {

// Channel 0 holds 1 3 5 (mean 3, variance 8/3, unbiased 4), channel 1 -1 -1 2 (mean 0, 2, 3).
TEST(BatchNorm, HandComputed) {
  const Array<> x{{3, 2}, {1, -1, 3, -1, 5, 2}};
  const Array<> gamma{{2}, {2, 1}};
  const Array<> beta{{2}, {0, 1}};
  for (const Stream& stream : each_path()) {
    Array<> y{x.shape};
    Array<> mean{{2}};
    Array<> rstd{{2}};
    Array<> running_mean{{2}, {1, 1}};
    Array<> running_var{{2}, {2, 1}};
    std::vector<std::byte> space(batch_norm_workspace(stream, x.shape));
    const auto workspace = [&] { return Workspace(space.data(), space.size()); };
    const BatchNorm norm{.eps = 0, .momentum = 0.5F};
    batch_norm_forward(stream, norm, y, mean, rstd, running_mean, running_var, workspace(), x,
                       gamma, beta);
    expect_near(mean.values, {3, 0}, 1e-6);
    expect_near(rstd.values, {0.6123724F, 0.7071068F}, 1e-6);
    expect_near(running_mean.values, {2, 0.5F}, 1e-6);
    expect_near(running_var.values, {3, 2}, 1e-6);
    expect_near(y.values, {-2.4494897F, 0.2928932F, 0, 0.2928932F, 2.4494897F, 2.4142136F}, 1e-6);

    // dy = (1 0 0): the mean is 1/3, the mean of dy n is n_0 / 3 = -0.4082483.
    const Array<> dy{{3, 2}, {1, 0, 0, 0, 0, 0}};
    Array<> sums{{2, 2}};
    batch_norm_sums(stream, sums, workspace(), dy, x, mean, rstd);
    expect_near(sums.values, {1, 0, -1.2247449F, 0}, 1e-6);
    Array<> dgamma{{2}, {10, 10}};
    Array<> dbeta{{2}, {10, 10}};
    batch_norm_wgrad(stream, dgamma, dbeta, sums);
    expect_near(dgamma.values, {8.7752551F, 10}, 1e-6);
    expect_near(dbeta.values, {11, 10}, 1e-6);
    Array<> dx{x.shape};
    batch_norm_dgrad(stream, norm, dx, {}, dy, x, mean, rstd, gamma, sums);
    // 2 rstd (1 - 1/3 - 1.2247449 * 0.4082483), 2 rstd (-1/3), 2 rstd (-1/3 + 0.5)
    expect_near(dx.values, {0.2041241F, 0, -0.4082483F, 0, 0.2041241F, 0}, 1e-6);

    batch_norm_forward(stream, {.eps = 1, .training = false}, y, mean, rstd, running_mean,
                       running_var, workspace(), x, gamma, beta);
    expect_near(y.values, {-1, 0.1339746F, 1, 0.1339746F, 3, 1.8660254F}, 1e-6);
    expect_near(running_mean.values, {2, 0.5F}, 0);
    batch_norm_dgrad(stream, {.training = false}, dx, {}, dy, x, mean, rstd, gamma, sums);
    expect_near(dx.values, {1, 0, 0, 0, 0, 0}, 1e-6);
  }
}

// A constant channel, but for an outlier where the shift is taken from.
TEST(BatchNorm, AnOutlierCostsNoDigits) {
  constexpr Index rows = 1000;
  Array<> x{{rows, 1}, std::vector<float>(rows, 100.0F)};
  x.values[0] = 1000;
  const Array<> one{{1}, {1}};
  for (const Stream& stream : each_path()) {
    Array<> y{x.shape};
    Array<> mean{{1}};
    Array<> rstd{{1}};
    Array<> running{{1}, {0}};
    std::vector<std::byte> space(batch_norm_workspace(stream, x.shape));
    batch_norm_forward(stream, {.eps = 0}, y, mean, rstd, running, running,
                       {space.data(), space.size()}, x, one, one);
    EXPECT_NEAR(mean.values[0], 100.9, 1e-4);
    EXPECT_NEAR(1 / (rstd.values[0] * rstd.values[0]), 809.19, 1e-2);
  }
}

TEST(BatchNorm, ErrorsNameTheOperand) {
  Graph g;
  const Value x = g.input("x", {DType::f32, {1, 1, 8}});
  const Value eight = g.parameter("eight", {8}, Init::ones());
  const Value nine = g.buffer("nine", {9}, Init::ones());
  expect_error(ErrorCode::shape,
               "batch_norm: running_var is f32 [9], expected f32 [8] to match the last axis of x",
               [&] { batch_norm(g, x, eight, eight, eight, nine); });
  expect_error(ErrorCode::shape,
               "batch_norm: x [1, 1, 8] has fewer than two rows, which have no variance",
               [&] { batch_norm(g, x, eight, eight, eight, eight); });
}

}  // namespace
}  // namespace framefold::test

#include <gtest/gtest.h>

#include "engine/ops.h"
#include "tests/arrays.h"
#include "tests/op_cases.h"

namespace framefold {

// Rows of less, one and more than a vector, and past the first-level cache; a mean far above the
// deviation.
OP_CASES(layer_norm) {
  const auto build = [](Graph& g, const std::vector<Value>& v) {
    layer_norm(g, v[0], v[1], v[2], {.eps = 1e-5F});
  };
  for (const Index c : {3, 17, 32, 1023, 1024, 1025})
    add({.in = {{5, c}, {c}, {c}}, .build = build});
  for (const Index c : {2048, 8200}) add({.in = {{2, c}, {c}, {c}}, .build = build});
  add({.in = {{2, 3, 7, 33}, {33}, {33}}, .build = build});
  const auto of_sum = [](Graph& g, const std::vector<Value>& v) {
    layer_norm_of_sum(g, v[0], v[1], v[2], v[3], {.eps = 1e-5F});
  };
  for (const Index c : {3, 17, 32, 1023, 1024})
    add({.in = {{5, c}, {5, c}, {c}, {c}}, .build = of_sum, .name = "of a sum"});
  for (const Index c : {2048, 4104, 8200})
    add({.in = {{2, c}, {2, c}, {c}, {c}}, .build = of_sum, .name = "of a sum"});
  add({.in = {{1, 1}, {1}, {1}}, .build = [](Graph& g, const std::vector<Value>& v) {
         layer_norm(g, v[0], v[1], v[2], {.eps = 1});
       }});
  add({.in = {{400, 64}, {64}, {64}},
       .build = build,
       .name = "mean 30 deviations away",
       .fill = [](int input, Index i, Random random) {
         const double normal = static_cast<double>(random.normal(static_cast<std::uint64_t>(i)));
         return input == 0 ? normal + 30 : normal;
       }});
}

namespace {

TEST(LayerNorm, HandComputed) {
  const float x[] = {1, 2, 3, -2, 0, 2};
  const float gamma[] = {1, 1, 2};
  const float beta[] = {0, 0, 1};
  float y[6];
  float mean[2];
  float rstd[2];
  for (const Path path : {Path::reference, Path::native}) {
    const Stream stream{.device = {}, .threads = 1, .path = path};
    layer_norm_forward(stream, {.eps = 0}, {y, DType::f32, {2, 3}}, {mean, DType::f32, {2}},
                       {rstd, DType::f32, {2}}, {x, DType::f32, {2, 3}}, {gamma, DType::f32, {3}},
                       {beta, DType::f32, {3}});
    EXPECT_FLOAT_EQ(mean[0], 2);
    EXPECT_FLOAT_EQ(mean[1], 0);
    EXPECT_NEAR(y[0], -1.224745, 1e-6);
    EXPECT_NEAR(y[1], 0, 1e-6);
    EXPECT_NEAR(y[2], 3.449490, 1e-6);
    EXPECT_NEAR(y[3], -1.224745, 1e-6);
    EXPECT_NEAR(y[5], 3.449490, 1e-6);
    EXPECT_NEAR(rstd[0], 1.224745, 1e-6);
  }
}

// x + b is the rows of HandComputed; the gradient of the sum that comes from elsewhere is added.
TEST(LayerNorm, OfASumHandComputed) {
  const float b[] = {1, 1, 1, -1, -1, -1};
  const float gamma[] = {1, 1, 2};
  const float beta[] = {0, 0, 1};
  const float dy[] = {1, 0, 0, 0, 0, 0};
  const float dsum[] = {10, 20, 30, 40, 50, 60};
  for (const Path path : {Path::reference, Path::native}) {
    const Stream stream{.device = {}, .threads = 1, .path = path};
    const Shape shape{2, 3};
    float x[] = {0, 1, 2, -1, 1, 3};
    float y[6], mean[2], rstd[2], dx[6], db[6];
    const Tensor sum{x, DType::f32, shape};  // over x itself
    layer_norm_forward(stream, {.eps = 0}, {y, DType::f32, shape}, {mean, DType::f32, {2}},
                       {rstd, DType::f32, {2}}, sum, {gamma, DType::f32, {3}},
                       {beta, DType::f32, {3}}, sum, {b, DType::f32, shape});
    EXPECT_EQ(x[0], 1);
    EXPECT_EQ(x[2], 3);
    EXPECT_EQ(x[3], -2);
    EXPECT_NEAR(y[0], -1.224745, 1e-6);
    EXPECT_NEAR(y[2], 3.449490, 1e-6);
    layer_norm_dgrad(stream, {dx, DType::f32, shape}, {dy, DType::f32, shape}, sum,
                     {mean, DType::f32, {2}}, {rstd, DType::f32, {2}}, {gamma, DType::f32, {3}},
                     {db, DType::f32, shape}, {dsum, DType::f32, shape});
    // n = (-s, 0, s), s^2 = 3/2: s (1 - 1/3 - s^2/3), s (-1/3), s (-1/3 + s^2/3).
    EXPECT_NEAR(dx[0], 10 + 1.224745 / 6, 1e-5);
    EXPECT_NEAR(dx[1], 20 - 1.224745 / 3, 1e-5);
    EXPECT_NEAR(dx[2], 30 + 1.224745 / 6, 1e-5);
    EXPECT_EQ(dx[4], 50);
    for (int i = 0; i < 6; ++i) EXPECT_EQ(db[i], dx[i]);
  }
}

TEST(LayerNorm, AWrongOperandIsNamed) {
  Graph g;
  const Value x = g.input("x", {DType::f32, {1568, 768}});
  const Value gamma = g.parameter("gamma", {384}, Init::ones());
  const Value beta = g.parameter("beta", {768}, Init::zeros());
  test::expect_error(
      ErrorCode::shape,
      "layer_norm: gamma is f32 [384], expected f32 [768] to match the last axis of x",
      [&] { layer_norm(g, x, gamma, beta); });
}

TEST(LayerNorm, AnAxisWithoutElementsIsAnError) {
  Graph g;
  const Value x = g.input("x", {DType::f32, {4, 0}});
  const Value none = g.parameter("none", {0}, Init::ones());
  test::expect_error(ErrorCode::shape, "layer_norm: x [4, 0] has a last axis without elements",
                     [&] { layer_norm(g, x, none, none); });
}

}  // namespace
}  // namespace framefold

#include "kernels/pointwise_loss.h"

#include <gtest/gtest.h>

#include <array>

#include "engine/ops.h"
#include "tests/arrays.h"
#include "tests/op_cases.h"

namespace framefold {

// Every loss against reals and pixels; less than a vector, and several threads' pieces.
OP_CASES(pointwise_loss) {
  using Builder = std::function<Value(Graph&, Value, Value)>;
  const auto both = [](auto loss) {
    return [loss](LossReduction reduction) -> Builder {
      return [=](Graph& g, Value x, Value t) { return loss(g, x, t, reduction); };
    };
  };
  const auto huber_half = [](Graph& g, Value x, Value t, LossReduction reduction) {
    return huber(g, x, t, 0.5F, reduction);
  };
  const std::function<Builder(LossReduction)> losses[] = {both(mse), both(l1), both(huber_half),
                                                          both(bce_with_logits)};
  for (const auto& loss : losses) {
    const auto compare = [&](const Shape& shape, DType target, LossReduction reduction) {
      add({.in = {{shape}, {target, shape}},
           .build = [build = loss(reduction)](Graph& g, const std::vector<Value>& v) {
             build(g, v[0], v[1]);
           }});
    };
    for (const DType target : {DType::f32, DType::u8}) {
      compare({1}, target, LossReduction::mean);
      compare({17}, target, LossReduction::mean);
      compare({3, 2, 5}, target, LossReduction::batch_mean);
      compare({3, 20001}, target, LossReduction::mean);
    }
  }
}

namespace test {
namespace {

struct Outcome {
  float y;
  std::vector<float> dx;
};

Outcome run(const Stream& stream, PointwiseLoss loss, Array<> x, View t) {
  std::array<double, 8> space;
  Array<> y{{1}};
  Array<> dx{x.shape};
  pointwise_loss_forward(stream, loss, y, Workspace(space.data(), sizeof(space)), x, t);
  pointwise_loss_dgrad(stream, loss, dx, Array<>{{1}, {2}}, x, t);
  return {y.values[0], dx.values};
}

TEST(PointwiseLoss, HandComputed) {
  const Array<> x{{2, 2}, {1, -2, 0.5F, 3}};
  Array<> t{{2, 2}, {0, 0, 0.5F, 1}};
  using Loss = PointwiseLoss;
  for (const Stream& stream : each_path()) {
    Outcome o = run(stream, {.kind = Loss::mse}, x, t);
    EXPECT_FLOAT_EQ(o.y, 2.25F);  // (1 + 4 + 0 + 4) / 4
    EXPECT_EQ(o.dx, (std::vector<float>{1, -2, 0, 2}));
    o = run(stream, {.kind = Loss::mse, .reduction = LossReduction::batch_mean}, x, t);
    EXPECT_FLOAT_EQ(o.y, 4.5F);
    EXPECT_EQ(o.dx, (std::vector<float>{2, -4, 0, 4}));
    o = run(stream, {.kind = Loss::l1}, x, t);
    EXPECT_FLOAT_EQ(o.y, 1.25F);
    EXPECT_EQ(o.dx, (std::vector<float>{0.5F, -0.5F, 0, 0.5F}));
    o = run(stream, {.kind = Loss::huber, .delta = 1.5F}, x, t);
    EXPECT_FLOAT_EQ(o.y, (0.5F + 1.875F + 0 + 1.875F) / 4);
    EXPECT_EQ(o.dx, (std::vector<float>{0.5F, -0.75F, 0, 0.75F}));
    o = run(stream, {.kind = Loss::bce_with_logits, .reduction = LossReduction::batch_mean}, x, t);
    // log(1 + e), log(1 + e^-2), log(1 + e^0.5) - 0.25, log(1 + e^3) - 3
    EXPECT_NEAR(o.y, (1.3132617 + 0.1269280 + 0.7240770 + 0.0485874) / 2, 1e-6);
    expect_near<float>(o.dx, {0.7310586F, 0.1192029F, 0.1224593F, -0.0474259F}, 1e-6);
  }
}

TEST(PointwiseLoss, PixelsStandForFractionsOf255) {
  Array<std::uint8_t> t{{2}, {255, 51}};
  for (const Stream& stream : each_path()) {
    const Outcome o = run(stream, {}, {{2}, {0.5F, 0.5F}}, t);
    EXPECT_NEAR(o.y, (0.25 + 0.09) / 2, 1e-7);
    expect_near<float>(o.dx, {-1, 0.6F}, 1e-6);
  }
}

TEST(PointwiseLoss, LargeLogitsStayFinite) {
  Array<> t{{4}, {0, 1, 0, 1}};
  for (const Stream& stream : each_path()) {
    const Outcome o =
        run(stream, {.kind = PointwiseLoss::bce_with_logits}, {{4}, {100, 100, -100, -100}}, t);
    EXPECT_FLOAT_EQ(o.y, 50);
    expect_near<float>(o.dx, {0.5F, 0, 0, -0.5F}, 1e-6);
  }
}

TEST(PointwiseLoss, NaNIsSeen) {
  Array<> t{{1}, {0}};
  for (const auto kind : {PointwiseLoss::mse, PointwiseLoss::l1, PointwiseLoss::huber,
                          PointwiseLoss::bce_with_logits})
    for (const Stream& stream : each_path()) {
      const Outcome o =
          run(stream, {.kind = kind}, {{1}, {std::numeric_limits<float>::quiet_NaN()}}, t);
      EXPECT_TRUE(std::isnan(o.y)) << int{kind};
      EXPECT_TRUE(std::isnan(o.dx[0])) << int{kind};
    }
}

TEST(PointwiseLoss, TheSameForAnyThreads) {
  Graph g;
  constexpr Index n = 100003;
  Array<> x{{n}, std::vector<float>(n)};
  Array<> t = x;
  for (std::size_t i = 0; i < n; ++i) x.values[i] = Random{1, 2}.normal(i);
  std::vector<double> space(pointwise_loss_workspace(View(x).type()) / sizeof(double));
  const auto loss = [&](int threads, Path path) {
    Array<> y{{1}};
    pointwise_loss_forward({.device = {}, .threads = threads, .path = path}, {}, y,
                           Workspace(space.data(), 8 * space.size()), x, t);
    return y.values[0];
  };
  for (const Path path : {Path::reference, Path::automatic})
    for (const int threads : {2, 3, 7}) EXPECT_EQ(loss(threads, path), loss(1, path));
}

TEST(PointwiseLoss, WrongOperandsAreNamed) {
  Graph g;
  const Value x = g.input("x", {DType::f32, {2, 3}});
  const Value t = g.input("t", {DType::f32, {2, 4}});
  expect_error(ErrorCode::shape,
               "huber: the target is f32 [2, 4], expected f32 [2, 3] as x, or u8 of its shape",
               [&] { huber(g, x, t); });
  expect_error(ErrorCode::argument, "huber: delta is 0, expected above 0",
               [&] { huber(g, x, x, 0); });
}

}  // namespace
}  // namespace test
}  // namespace framefold

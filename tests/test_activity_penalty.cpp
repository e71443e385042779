#include "kernels/activity_penalty.h"

#include <gtest/gtest.h>

#include "engine/ops.h"
#include "tests/arrays.h"
#include "tests/op_cases.h"

namespace framefold {

// One element, a tail, several pieces and threads; few and many columns.
OP_CASES(activity_penalty) {
  for (const auto kind : {ActivityPenalty::l1, ActivityPenalty::l2})
    for (const LossReduction reduction : {LossReduction::mean, LossReduction::batch_mean})
      for (const Shape& shape : {Shape{1}, Shape{3, 2, 5}, Shape{3, 20001}})
        add({.in = {{shape}}, .build = [=](Graph& g, const std::vector<Value>& v) {
               activity_penalty(g, v[0], {.kind = kind, .reduction = reduction});
             }});
  for (const Shape& shape : {Shape{1}, Shape{4, 3}, Shape{3, 2, 17}, Shape{5, 16}, Shape{5003, 10}})
    add({.in = {{shape}},
         .build =
             [](Graph& g, const std::vector<Value>& v) {
               activity_penalty(g, v[0], {.kind = ActivityPenalty::sparsity, .target = 0.1F});
             },
         .name = "sparsity ",
         .fill =
             [](int, Index i, Random random) {
               return 0.1 +
                      0.8 * static_cast<double>(random.uniform(static_cast<std::uint64_t>(i)));
             }});
}

namespace test {
namespace {

struct Outcome {
  float y;
  std::vector<float> dx;
};

Outcome run(const Stream& stream, ActivityPenalty penalty, Array<> x) {
  std::vector<double> space(activity_penalty_workspace(stream, penalty, View(x).type()) / 8);
  const Workspace workspace(space.data(), 8 * space.size());
  Array<> y{{1}};
  Array<> m{{x.shape[-1]}};
  Array<> dx{x.shape};
  activity_penalty_forward(stream, penalty, y, m, workspace, x);
  activity_penalty_dgrad(stream, penalty, dx, workspace, Array<>{{1}, {2}}, x, m);
  return {y.values[0], dx.values};
}

TEST(ActivityPenalty, HandComputed) {
  for (const Stream& stream : each_path()) {
    const Array<> x{{2, 2}, {1, -2, 0, 3}};
    Outcome o = run(stream, {.kind = ActivityPenalty::l1}, x);
    EXPECT_FLOAT_EQ(o.y, 3);
    EXPECT_EQ(o.dx, (std::vector<float>{1, -1, 0, 1}));
    o = run(stream, {.kind = ActivityPenalty::l2, .reduction = LossReduction::mean}, x);
    EXPECT_FLOAT_EQ(o.y, 3.5F);
    EXPECT_EQ(o.dx, (std::vector<float>{1, -2, 0, 3}));
    // m = (1/2, 1/4): 0.25 log 0.5 + 0.75 log 1.5, and 0
    o = run(stream, {.kind = ActivityPenalty::sparsity, .target = 0.25F},
            {{2, 2}, {0.25F, 0.125F, 0.75F, 0.375F}});
    EXPECT_NEAR(o.y, 0.1308120, 1e-6);
    expect_near<float>(o.dx, {1, 0, 1, 0}, 1e-6);
  }
}

TEST(ActivityPenalty, AnIdleUnitGetsAFiniteGradient) {
  for (const Stream& stream : each_path()) {
    const Outcome o =
        run(stream, {.kind = ActivityPenalty::sparsity, .target = 0.5F}, {{2, 1}, {0, 0}});
    // 0.5 (log 0.5e6 + log 0.5)
    EXPECT_NEAR(o.y, 6.2146083, 1e-4);
    EXPECT_NEAR(o.dx[0] / -0.5e6, 1, 1e-5);
  }
}

TEST(ActivityPenalty, AWrongTargetIsNamed) {
  Graph g;
  const Value x = g.input("x", {DType::f32, {2, 3}});
  expect_error(ErrorCode::argument, "activity_penalty: target is 1, expected above 0 and below 1",
               [&] { activity_penalty(g, x, {.kind = ActivityPenalty::sparsity, .target = 1}); });
}

}  // namespace
}  // namespace test
}  // namespace framefold

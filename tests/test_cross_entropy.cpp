#include "kernels/cross_entropy.h"

#include <gtest/gtest.h>

#include <array>

#include "engine/ops.h"
#include "tests/arrays.h"
#include "tests/op_cases.h"

namespace framefold {

// Rows of less, one and more than a vector; rows in several pieces and for several threads.
OP_CASES(cross_entropy) {
  const auto build = [](Graph& g, const std::vector<Value>& v) { cross_entropy(g, v[0], v[1]); };
  for (const Shape& shape :
       {Shape{3, 2}, Shape{5, 17}, Shape{2, 3, 32}, Shape{4, 1025}, Shape{2, 257}, Shape{2, 2048},
        Shape{1, 8200}, Shape{5003, 10}, Shape{17}, Shape{3, 1}})
    add({.in = {{shape}, {shape}},
         .build = build,
         .fill =
             [classes = shape[-1]](int input, Index i, Random random) {
               const auto at = static_cast<std::uint64_t>(i);
               if (input == 0) return static_cast<double>(random.normal(at));
               return 2 * static_cast<double>(random.uniform(at)) / static_cast<double>(classes);
             },
         // Of thousands of classes one moves the loss by little more than its rounding: 1e-5 seen.
         .gradient_tolerance = shape[-1] > 4096 ? 5e-5 : 1e-6});
}

namespace test {
namespace {

struct Outcome {
  float y;
  std::vector<float> lse, dx;
};

Outcome run(const Stream& stream, Array<> x, Array<> t, float dy) {
  std::array<double, 8> space;
  Array<> y{{1}};
  Array<> lse{{x.shape[0]}};
  Array<> dx{x.shape};
  cross_entropy_forward(stream, y, lse, Workspace(space.data(), sizeof(space)), x, t);
  cross_entropy_dgrad(stream, dx, Array<>{{1}, {dy}}, x, t, lse);
  return {y.values[0], lse.values, dx.values};
}

TEST(CrossEntropy, HandComputed) {
  // softmax(0, log 3) = (1/4, 3/4)
  const float log3 = 1.0986123F;
  const Array<> x{{2, 2}, {0, log3, log3, 0}};
  const Array<> t{{2, 2}, {1, 0, 0.5F, 0.5F}};
  for (const Stream& stream : each_path()) {
    const Outcome o = run(stream, x, t, 2);
    // log 4 and (log(4/3) + log 4) / 2
    EXPECT_NEAR(o.y, (1.3862944 + (0.2876821 + 1.3862944) / 2) / 2, 1e-6);
    expect_near<float>(o.lse, {1.3862944F, 1.3862944F}, 1e-6);
    expect_near<float>(o.dx, {-0.75F, 0.75F, 0.25F, -0.25F}, 1e-6);
  }
}

TEST(CrossEntropy, FarLogitsStayFinite) {
  for (const Stream& stream : each_path()) {
    const Outcome o = run(stream, {{2, 2}, {1000, 0, -1000, 0}}, {{2, 2}, {0, 1, 1, 0}}, 1);
    EXPECT_FLOAT_EQ(o.y, 1000);
    expect_near<float>(o.dx, {0.5F, -0.5F, -0.5F, 0.5F}, 1e-6);
  }
}

TEST(CrossEntropy, AWrongOperandIsNamed) {
  Graph g;
  const Value x = g.input("x", {DType::f32, {2, 3}});
  const Value t = g.input("t", {DType::i32, {2}});
  expect_error(ErrorCode::shape, "cross_entropy: the target is i32 [2], expected f32 [2, 3] as x",
               [&] { cross_entropy(g, x, t); });
}

}  // namespace
}  // namespace test
}  // namespace framefold

// Minimal filtering beside the plain loops in f64, whether or not the rule would choose it.
#include "kernels/convolution_winograd.h"

#include <gtest/gtest.h>

#include "kernels/convolution_lines.h"
#include "tests/convolution_operands.h"

namespace framefold {
namespace {

using winograd::Plan;
using namespace test;

std::vector<ConvolutionCase> cases() {
  const Extents k3{3, 3, 3}, k4{4, 4, 4}, one{1, 1, 1}, two{2, 2, 2}, none{0, 0, 0};
  return {
      {"kernel 3", geometry(2, {4, 6, 8}, k3, one, one, 16, 32)},
      {"kernel 3, odd extents, tails of channels", geometry(2, {5, 7, 9}, k3, one, one, 9, 37)},
      {"kernel 3, no padding", geometry(1, {6, 5, 8}, k3, one, none, 20, 7)},
      {"kernel 3, wide padding", geometry(1, {4, 3, 4}, k3, one, two, 5, 33)},
      {"kernel 3, two frames: T as it is", geometry(3, {2, 4, 5}, k3, one, one, 17, 16)},
      {"2-D", geometry(3, {1, 9, 7}, {1, 3, 3}, one, {0, 1, 1}, 16, 16)},
      {"2-D, many units", geometry(1, {1, 40, 38}, {1, 3, 3}, one, {0, 1, 1}, 16, 24)},
      {"T strided as it is", geometry(1, {7, 6, 6}, {2, 3, 3}, {2, 1, 1}, {0, 1, 1}, 8, 8)},
      {"kernel 4, stride 2", geometry(2, {8, 8, 12}, k4, two, one, 16, 40)},
      {"kernel 4, stride 2, odd extents", geometry(1, {9, 7, 11}, k4, two, one, 33, 18)},
      {"kernel 4, stride 2, four frames", geometry(2, {4, 10, 6}, k4, two, one, 8, 16)},
      {"kernel 4, stride 2, padding 3", geometry(1, {8, 5, 9}, k4, two, {3, 3, 3}, 6, 10)},
      {"kernel 4, stride 2, padding 2", geometry(1, {9, 8, 7}, k4, two, two, 6, 10), false},
      {"kernel 4, stride 2, H and W",
       geometry(2, {3, 8, 9}, {1, 4, 4}, {1, 2, 2}, {0, 1, 1}, 7, 9)},
      {"kernel 3, stride 2", geometry(2, {8, 12, 8}, k3, two, one, 16, 32)},
      {"kernel 3, stride 2, odd extents", geometry(1, {9, 7, 11}, k3, two, one, 21, 18)},
      {"kernel 3, stride 2, padding 0", geometry(1, {9, 7, 11}, k3, two, none, 4, 5), false},
      {"chosen by the rule", geometry(1, {8, 12, 12}, k3, one, one, 64, 64)},
      {"mixed axes", geometry(2, {6, 8, 9}, {3, 4, 3}, {1, 2, 1}, {1, 1, 2}, 12, 14)},
  };
}

std::vector<float> by_pairs(const Plan& plan, const Convolution& c, Pass pass, Operands<float> o,
                            int threads) {
  const Stream stream{.device = {}, .threads = threads};
  const OperandTensors t(c, o);
  if (pass == Pass::weight) {
    Scratch scratch(winograd::weight_workspace(plan));
    winograd::weight_from_both(stream, plan, t.weight, scratch.get(), t.fine, t.coarse);
  } else {
    Scratch scratch(winograd::sum_workspace(stream, plan));
    winograd::sum(stream, plan, pass == Pass::to_fine ? t.fine : t.coarse, scratch.get(),
                  pass == Pass::to_fine ? t.coarse : t.fine, t.weight, t.bias);
  }
  return o.written(pass);
}

// All numbers of threads give the same bits.
void check(Convolution c, Pass pass) {
  if (pass != Pass::weight) c.activation = {Activation::leaky_relu, 0.2F};
  const Operands<float> o = drawn_operands(c, pass);
  const Plan plan(c, pass);
  ASSERT_TRUE(plan.fits);
  const std::vector<float> one = by_pairs(plan, c, pass, o, 1);
  EXPECT_LT(relative_error(one, by_plain_loops(c, pass, o)), 1e-6);
  for (const int threads : {2, 3})
    EXPECT_EQ(one, by_pairs(plan, c, pass, o, threads)) << threads << " threads";
  // The rule leads here from outside.
  if (plan.worth && !lines::Plan(c, pass).worth) {
    EXPECT_EQ(one, by_the_path({.device = {}, .threads = 2}, c, pass, o));
  }
}

TEST(ConvolutionWinograd, EqualsThePlainLoops) {
  for (const ConvolutionCase& one : cases()) {
    SCOPED_TRACE(one.name);
    for (const Pass pass : {Pass::to_coarse, Pass::to_fine, Pass::weight}) {
      SCOPED_TRACE(static_cast<int>(pass));
      if (pass == Pass::to_fine && !one.fine_fits)
        EXPECT_FALSE(Plan(one.c, pass).fits);
      else
        check(one.c, pass);
    }
  }
}

// x = 1 2 3 4 along H and W (x[h][w] = 4 h + w + 1), kernel of ones, padding 1: sums of neighbours.
TEST(ConvolutionWinograd, HandComputed) {
  const Convolution c = geometry(1, {1, 4, 4}, {1, 3, 3}, {1, 1, 1}, {0, 1, 1}, 1, 1);
  const Plan plan(c, Pass::to_coarse);
  ASSERT_TRUE(plan.fits);
  std::vector<float> x(16), weight(9, 1.0F), y(16);
  for (std::size_t i = 0; i < 16; ++i) x[i] = static_cast<float>(i + 1);
  const float bias[] = {0.5F};
  Scratch scratch(winograd::sum_workspace({}, plan));
  winograd::sum({}, plan, {y.data(), DType::f32, {1, 1, 4, 4, 1}}, scratch.get(),
                {x.data(), DType::f32, {1, 1, 4, 4, 1}},
                {weight.data(), DType::f32, {1, 3, 3, 1, 1}}, {bias, DType::f32, {1}});
  EXPECT_FLOAT_EQ(y[0], 1 + 2 + 5 + 6 + 0.5F);
  EXPECT_FLOAT_EQ(y[5], 1 + 2 + 3 + 5 + 6 + 7 + 9 + 10 + 11 + 0.5F);
  EXPECT_FLOAT_EQ(y[15], 11 + 12 + 15 + 16 + 0.5F);
}

TEST(ConvolutionWinograd, OthersDoNotFit) {
  const Extents one{1, 1, 1}, k3{3, 3, 3};
  EXPECT_FALSE(Plan(geometry(1, {8, 8, 8}, {3, 3, 5}, one, one, 8, 8), Pass::to_coarse).fits);
  EXPECT_FALSE(Plan(geometry(1, {8, 8, 8}, {5, 3, 3}, one, one, 8, 8), Pass::to_coarse).fits);
  EXPECT_FALSE(Plan(geometry(1, {8, 8, 8}, k3, {1, 3, 1}, one, 8, 8), Pass::to_coarse).fits);
  Convolution c = geometry(1, {8, 8, 8}, k3, one, one, 8, 8);
  c.groups = 2;
  EXPECT_FALSE(Plan(c, Pass::to_coarse).fits);
  c.groups = 1;
  c.dilation[2] = 2;
  EXPECT_FALSE(Plan(c, Pass::to_coarse).fits);
}

// The rule: many channels gain, few would pay more for transforms than they save.
TEST(ConvolutionWinograd, TheRuleWeighsTransformsAgainstProducts) {
  const Extents one{1, 1, 1}, k3{3, 3, 3};
  EXPECT_TRUE(Plan(geometry(1, {8, 32, 32}, k3, one, one, 64, 64), Pass::to_coarse).worth);
  for (const Pass pass : {Pass::to_coarse, Pass::to_fine, Pass::weight})
    EXPECT_TRUE(Plan(geometry(1, {4, 12, 12}, k3, one, one, 48, 48), pass).worth);
  EXPECT_FALSE(Plan(geometry(1, {8, 32, 32}, k3, one, one, 8, 8), Pass::to_coarse).worth);
  EXPECT_FALSE(Plan(geometry(1, {8, 32, 32}, k3, one, one, 3, 64), Pass::to_coarse).worth);
}

}  // namespace
}  // namespace framefold

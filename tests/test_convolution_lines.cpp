// Minimal filtering along W alone beside the plain loops in f64, whether or not the rule would
// choose it.
#include "kernels/convolution_lines.h"

#include <gtest/gtest.h>

#include "tests/convolution_operands.h"

namespace framefold {
namespace {

using lines::Plan;
using namespace test;

std::vector<ConvolutionCase> cases() {
  const Extents k3{3, 3, 3}, one{1, 1, 1}, two{2, 2, 2}, none{0, 0, 0};
  return {
      {"kernel 3", geometry(2, {4, 6, 8}, k3, one, one, 16, 32)},
      {"kernel 3, odd extents", geometry(2, {5, 7, 9}, k3, one, one, 48, 16)},
      {"kernel 3, one column", geometry(1, {3, 4, 1}, k3, one, one, 16, 16)},
      {"kernel 3, no padding", geometry(1, {6, 5, 8}, k3, one, none, 16, 16)},
      {"kernel 3, wide padding", geometry(1, {4, 3, 4}, k3, one, two, 16, 48)},
      {"2-D", geometry(3, {1, 9, 7}, {1, 3, 3}, one, {0, 1, 1}, 16, 16)},
      {"2-D, many tiles", geometry(1, {1, 60, 126}, {1, 3, 3}, one, {0, 1, 1}, 16, 32)},
      {"along W alone", geometry(2, {2, 3, 21}, {1, 1, 3}, one, {0, 0, 1}, 16, 16)},
      {"T strided", geometry(1, {7, 6, 6}, {2, 3, 3}, {2, 1, 1}, {0, 1, 1}, 16, 16)},
      {"H strided, padded, tall", geometry(2, {3, 11, 9}, {1, 5, 3}, {1, 3, 1}, {0, 2, 1}, 16, 16)},
      {"T and H dilated", geometry(2, {7, 9, 9}, k3, one, {2, 3, 1}, 16, 16, {2, 3, 1})},
      {"kernel 3, stride 2", geometry(2, {8, 12, 16}, k3, two, one, 16, 32)},
      {"kernel 3, stride 2, odd extents", geometry(1, {9, 7, 11}, k3, two, one, 32, 16)},
      {"kernel 3, stride 2, wide", geometry(1, {3, 8, 37}, k3, two, {1, 1, 3}, 16, 16)},
      {"kernel 3, stride 2, padding 0", geometry(1, {9, 7, 11}, k3, two, none, 16, 16), false},
  };
}

std::vector<float> by_lines(const Convolution& c, Pass pass, Operands<float> o, int threads) {
  const Plan plan(c, pass);
  const Stream stream{.device = {}, .threads = threads};
  const OperandTensors t(c, o);
  if (pass == Pass::weight) {
    Scratch scratch(lines::weight_workspace(stream, plan));
    lines::weight_from_both(stream, plan, t.weight, scratch.get(), t.fine, t.coarse);
  } else {
    Scratch scratch(lines::sum_workspace(stream, plan));
    lines::sum(stream, plan, pass == Pass::to_fine ? t.fine : t.coarse, scratch.get(),
               pass == Pass::to_fine ? t.coarse : t.fine, t.weight, t.bias);
  }
  return o.written(pass);
}

void check(Convolution c, Pass pass) {
  if (pass != Pass::weight) c.activation = {Activation::leaky_relu, 0.2F};
  const Operands<float> o = drawn_operands(c, pass);
  ASSERT_TRUE(Plan(c, pass).fits);
  const std::vector<double> expected = by_plain_loops(c, pass, o);
  std::vector<float> first;
  for (const int threads : {1, 2, 3}) {
    const std::vector<float> out = by_lines(c, pass, o, threads);
    // Measured up to 1e-6; of weights, over up to 7560 positions, up to 1.7e-6, where one fused
    // chain of as many products has 1.6e-6.
    EXPECT_LT(relative_error(out, expected), pass == Pass::weight ? 2.5e-6 : 1.5e-6)
        << threads << " threads";
    if (first.empty()) first = out;
    if (pass != Pass::weight) {
      EXPECT_EQ(first, out) << threads << " threads";
    }
    EXPECT_EQ(out, by_lines(c, pass, o, threads));
  }
}

TEST(ConvolutionLines, EqualsThePlainLoops) {
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

// x = 1 ... 5 along W in each channel, kernel 1, 10, 100 from channel 0 to channel 0, padding 1.
TEST(ConvolutionLines, HandComputed) {
  const Convolution c = geometry(1, {1, 1, 5}, {1, 1, 3}, {1, 1, 1}, {0, 0, 1}, 16, 16);
  std::vector<float> x(80), weight(3 * 256), y(80), bias(16, 0.5F);
  for (std::size_t i = 0; i < 80; ++i) x[i] = static_cast<float>(i / 16 + 1);
  weight[0] = 1;
  weight[256] = 10;
  weight[512] = 100;
  const std::vector<float> made = by_lines(c, Pass::to_coarse, {x, y, weight, bias}, 1);
  const float expected[] = {210.5F, 321.5F, 432.5F, 543.5F, 54.5F};
  for (std::size_t w = 0; w < 5; ++w) {
    EXPECT_NEAR(made[16 * w], expected[w], 1e-3F);
    EXPECT_NEAR(made[16 * w + 1], 0.5F, 1e-6F);
  }
}

TEST(ConvolutionLines, OthersDoNotFit) {
  const Extents one{1, 1, 1}, two{2, 2, 2}, k3{3, 3, 3}, eight{8, 8, 8};
  const auto fits = [](const Convolution& c) { return Plan(c, Pass::to_coarse).fits; };
  EXPECT_TRUE(fits(geometry(1, eight, k3, one, one, 16, 16)));
  EXPECT_FALSE(fits(geometry(1, eight, k3, one, one, 8, 16)));
  EXPECT_FALSE(fits(geometry(1, eight, k3, one, one, 16, 40)));
  EXPECT_FALSE(fits(geometry(1, eight, {3, 3, 5}, one, one, 16, 16)));
  EXPECT_FALSE(fits(geometry(1, eight, {4, 4, 4}, two, one, 16, 16)));
  EXPECT_FALSE(fits(geometry(1, eight, k3, {1, 1, 3}, one, 16, 16)));
  EXPECT_FALSE(fits(geometry(1, eight, k3, one, two, 16, 16, {1, 1, 2})));
  Convolution grouped = geometry(1, eight, k3, one, one, 32, 32);
  grouped.groups = 2;
  EXPECT_FALSE(fits(grouped));
}

// The rule leads here from outside where channels are few; with many, filters on all axes win.
TEST(ConvolutionLines, TheRuleWeighsThemAgainstTheOthers) {
  const Extents one{1, 1, 1}, k3{3, 3, 3};
  const Convolution few = geometry(2, {4, 16, 16}, k3, one, one, 16, 16);
  for (const Pass pass : {Pass::to_coarse, Pass::to_fine, Pass::weight})
    EXPECT_TRUE(Plan(few, pass).worth);
  EXPECT_FALSE(Plan(geometry(1, {8, 32, 32}, k3, one, one, 64, 64), Pass::to_coarse).worth);
  EXPECT_FALSE(Plan(geometry(1, {8, 8, 1}, k3, one, one, 16, 16), Pass::to_coarse).worth);

  const Operands<float> o = drawn_operands(few, Pass::to_coarse);
  EXPECT_EQ(by_the_path({.device = {}, .threads = 2}, few, Pass::to_coarse, o),
            by_lines(few, Pass::to_coarse, o, 2));
}

}  // namespace
}  // namespace framefold

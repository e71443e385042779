// Minimal filtering beside the plain loops in f64, whether or not the rule would choose it.
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <random>

#include "kernels/convolution_lines.h"
#include "kernels/convolution_winograd.h"

namespace framefold {
namespace {

using winograd::Pass;
using winograd::Plan;

constexpr DType f32 = DType::f32;
constexpr DType f64 = DType::f64;

Shape shape_of(Index batch, const Extents& extents, Index channels) {
  return {batch, extents[0], extents[1], extents[2], channels};
}

// A convolution whose coarse side follows from the fine one.
Convolution geometry(Index batch, const Extents& fine, const Extents& kernel, const Extents& stride,
                     const Extents& padding, Index fine_channels, Index coarse_channels) {
  Convolution c{.batch = batch,
                .groups = 1,
                .fine = fine,
                .kernel = kernel,
                .stride = stride,
                .padding = padding,
                .dilation = {1, 1, 1},
                .fine_channels = fine_channels,
                .coarse_channels = coarse_channels};
  for (std::size_t n = 0; n < 3; ++n)
    c.coarse[n] = (fine[n] + 2 * padding[n] - kernel[n]) / stride[n] + 1;
  return c;
}

struct Case {
  const char* name;
  Convolution c;
  bool fine_fits = true;
};

std::vector<Case> cases() {
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

std::vector<float> drawn(Index size, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<std::size_t>(size));
  for (float& value : values) value = normal(random);
  return values;
}

struct Scratch {
  explicit Scratch(Bytes bytes) : memory(bytes + 64) {}
  Workspace get() {
    void* at = memory.data();
    std::size_t room = memory.size();
    std::align(64, room - 64, at, room);
    return {at, room};
  }
  std::vector<std::byte> memory;
};

// One pass by minimal filtering and by the plain loops in f64; the root mean square of the
// difference beside that of the result, and whether all thread counts gave the same bits.
void check(Convolution c, Pass pass, bool biased) {
  if (pass != Pass::weight) c.activation = {Activation::leaky_relu, 0.2F};
  const Shape fine_shape = shape_of(c.batch, c.fine, c.fine_channels);
  const Shape coarse_shape = shape_of(c.batch, c.coarse, c.coarse_channels);
  const Shape weight_shape{c.kernel[0], c.kernel[1], c.kernel[2], c.fine_channels,
                           c.coarse_channels};
  std::vector<float> fine = drawn(fine_shape.size(), 1);
  std::vector<float> coarse = drawn(coarse_shape.size(), 2);
  std::vector<float> weight = drawn(weight_shape.size(), 3);
  std::vector<float> bias = drawn(std::max(c.fine_channels, c.coarse_channels), 4);
  const auto wide = [](const std::vector<float>& from) {
    return std::vector<double>(from.begin(), from.end());
  };
  std::vector<double> fine64 = wide(fine), coarse64 = wide(coarse), weight64 = wide(weight),
                      bias64 = wide(bias);
  const Stream plain{.device = {}, .threads = 1, .path = Path::reference};
  const Shape bias_shape{pass == Pass::to_fine ? c.fine_channels : c.coarse_channels};
  const View bias_view = biased ? View{bias64.data(), f64, bias_shape} : View{};
  if (pass == Pass::to_coarse)
    coarse_from_fine(plain, c, {coarse64.data(), f64, coarse_shape}, {},
                     {fine64.data(), f64, fine_shape}, {weight64.data(), f64, weight_shape},
                     bias_view);
  else if (pass == Pass::to_fine)
    fine_from_coarse(plain, c, {fine64.data(), f64, fine_shape}, {},
                     {coarse64.data(), f64, coarse_shape}, {weight64.data(), f64, weight_shape},
                     bias_view);
  else
    weight_from_both(plain, c, {weight64.data(), f64, weight_shape}, {},
                     {fine64.data(), f64, fine_shape}, {coarse64.data(), f64, coarse_shape});
  const std::vector<double>& expected = pass == Pass::to_coarse ? coarse64
                                        : pass == Pass::to_fine ? fine64
                                                                : weight64;

  const Plan plan(c, pass);
  ASSERT_TRUE(plan.fits);
  std::vector<float> first;
  for (const int threads : {1, 2, 3}) {
    const Stream stream{.device = {}, .threads = threads};
    Scratch scratch(pass == Pass::weight ? winograd::weight_workspace(plan)
                                         : winograd::sum_workspace(stream, plan));
    std::vector<float> out = pass == Pass::to_coarse ? coarse
                             : pass == Pass::to_fine ? fine
                                                     : weight;
    const View bias32 = biased ? View{bias.data(), f32, bias_shape} : View{};
    if (pass == Pass::to_coarse)
      winograd::sum(stream, plan, {out.data(), f32, coarse_shape}, scratch.get(),
                    {fine.data(), f32, fine_shape}, {weight.data(), f32, weight_shape}, bias32);
    else if (pass == Pass::to_fine)
      winograd::sum(stream, plan, {out.data(), f32, fine_shape}, scratch.get(),
                    {coarse.data(), f32, coarse_shape}, {weight.data(), f32, weight_shape}, bias32);
    else
      winograd::weight_from_both(stream, plan, {out.data(), f32, weight_shape}, scratch.get(),
                                 {fine.data(), f32, fine_shape},
                                 {coarse.data(), f32, coarse_shape});
    double error = 0, size = 0;
    for (std::size_t i = 0; i < out.size(); ++i) {
      error += std::pow(static_cast<double>(out[i]) - expected[i], 2);
      size += std::pow(expected[i], 2);
    }
    EXPECT_LT(std::sqrt(error / size), 1e-6);
    if (first.empty()) first = out;
    EXPECT_EQ(first, out) << threads << " threads";
  }
  if (!plan.worth || lines::Plan(c, pass).worth) return;

  // The rule leads here from outside.
  const Stream stream{.device = {}, .threads = 2};
  const View bias32 = biased ? View{bias.data(), f32, bias_shape} : View{};
  if (pass == Pass::to_coarse) {
    Scratch scratch(coarse_from_fine_workspace(stream, c, f32));
    coarse_from_fine(stream, c, {coarse.data(), f32, coarse_shape}, scratch.get(),
                     {fine.data(), f32, fine_shape}, {weight.data(), f32, weight_shape}, bias32);
    EXPECT_EQ(first, coarse);
  } else if (pass == Pass::to_fine) {
    Scratch scratch(fine_from_coarse_workspace(stream, c, f32));
    fine_from_coarse(stream, c, {fine.data(), f32, fine_shape}, scratch.get(),
                     {coarse.data(), f32, coarse_shape}, {weight.data(), f32, weight_shape},
                     bias32);
    EXPECT_EQ(first, fine);
  } else {
    Scratch scratch(weight_from_both_workspace(stream, c, f32));
    weight_from_both(stream, c, {weight.data(), f32, weight_shape}, scratch.get(),
                     {fine.data(), f32, fine_shape}, {coarse.data(), f32, coarse_shape});
    EXPECT_EQ(first, weight);
  }
}

TEST(ConvolutionWinograd, EqualsThePlainLoops) {
  for (const Case& one : cases()) {
    SCOPED_TRACE(one.name);
    for (const Pass pass : {Pass::to_coarse, Pass::to_fine, Pass::weight}) {
      SCOPED_TRACE(static_cast<int>(pass));
      if (pass == Pass::to_fine && !one.fine_fits) {
        EXPECT_FALSE(Plan(one.c, pass).fits);
        continue;
      }
      check(one.c, pass, pass != Pass::weight);
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
  winograd::sum({}, plan, {y.data(), f32, {1, 1, 4, 4, 1}}, scratch.get(),
                {x.data(), f32, {1, 1, 4, 4, 1}}, {weight.data(), f32, {1, 3, 3, 1, 1}},
                {bias, f32, {1}});
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

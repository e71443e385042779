#include <gtest/gtest.h>

#include "engine/ops.h"
#include "tests/arrays.h"
#include "tests/op_cases.h"

namespace framefold {
namespace {

constexpr Activation all[] = {{Activation::relu},     {Activation::leaky_relu, 0.2F},
                              {Activation::sigmoid},  {Activation::tanh},
                              {Activation::gelu_erf}, {Activation::gelu_tanh},
                              {Activation::silu}};

}  // namespace

// Less, one and more than a vector; more than one thread's share.
OP_CASES(activation) {
  for (const Activation f : all) {
    const auto build = [f](Graph& g, const std::vector<Value>& v) { activation(g, v[0], f); };
    for (const Index n : {1, 17, 32})
      add({.in = {{n}}, .build = build, .name = text("kind ", int{f.kind}, ' ')});
    add({.in = {{3, 40011}},
         .build = build,
         .name = text("kind ", int{f.kind}, " wide "),
         .fill =
             [](int, Index i, Random random) {
               return 4 * static_cast<double>(random.normal(static_cast<std::uint64_t>(i)));
             },
         // Measured 2.1 for sigmoid, whose derivative reads y as rounded to bf16.
         .reduced_factor = f.kind == Activation::sigmoid ? 2.5 : 2});
  }
}

namespace test {
namespace {

struct ByHand {
  Activation activation;
  float at_minus_2, at_0, at_1;           // values
  float slope_minus_2, slope_0, slope_1;  // derivatives
};

TEST(Activation, HandComputed) {
  const ByHand table[] = {
      {Activation::relu, 0, 0, 1, 0, 0, 1},
      {{Activation::leaky_relu, 0.25F}, -0.5F, 0, 1, 0.25F, 0.25F, 1},
      {Activation::sigmoid, 0.1192029F, 0.5F, 0.7310586F, 0.1049936F, 0.25F, 0.1966119F},
      {Activation::tanh, -0.9640276F, 0, 0.7615942F, 0.0706508F, 1, 0.4199743F},
      // x Phi(x) and Phi(x) + x phi(x): Phi(-2) = 0.0227501, phi(-2) = 0.0539910
      {Activation::gelu_erf, -0.0455003F, 0, 0.8413447F, -0.0852318F, 0.5F, 1.0833155F},
      // tanh(-1.8811884) = -0.9545977, tanh(0.8335620) = 0.6823840
      {Activation::gelu_tanh, -0.0454023F, 0, 0.8411920F, -0.0860993F, 0.5F, 1.0829641F},
      {Activation::silu, -0.2384058F, 0, 0.7310586F, -0.0907842F, 0.5F, 0.9276705F},
  };
  for (const ByHand& row : table)
    for (const Stream& stream : each_path()) {
      SCOPED_TRACE(int{row.activation.kind});
      Array<> x{{3}, {-2, 0, 1}};
      Array<> y{{3}};
      Array<> dx{{3}};
      activation_forward(stream, row.activation, y, x);
      expect_near<float>(y.values, {row.at_minus_2, row.at_0, row.at_1}, 3e-7);
      activation_dgrad(stream, row.activation, dx, Array<>{{3}, {2, 2, 2}},
                       row.activation.derivative_from_output() ? y : x);
      expect_near<float>(dx.values, {2 * row.slope_minus_2, 2 * row.slope_0, 2 * row.slope_1},
                         1e-6);
    }
}

TEST(Activation, NaNStaysNaN) {
  for (const Activation f : all)
    for (const Stream& stream : each_path()) {
      Array<> x{{1}, {std::numeric_limits<float>::quiet_NaN()}};
      Array<> y{{1}, {0}};
      activation_forward(stream, f, y, x);
      EXPECT_TRUE(std::isnan(y.values[0])) << int{f.kind};
    }
}

TEST(Activation, NoneAddsNoNode) {
  Graph g;
  const Value x = g.input("x", {DType::f32, {3}});
  EXPECT_EQ(activation(g, x, Activation::none), x);
  EXPECT_TRUE(g.nodes().empty());
}

}  // namespace
}  // namespace test
}  // namespace framefold

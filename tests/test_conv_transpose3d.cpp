#include <gtest/gtest.h>

#include <cmath>

#include "engine/ops.h"
#include "tests/op_cases.h"

namespace framefold {

constexpr Activation fused[] = {Activation::none,
                                Activation::relu,
                                {Activation::leaky_relu, 0.2F},
                                Activation::sigmoid,
                                Activation::tanh};

OP_CASES(conv_transpose3d) {
  const auto add_case = [&](const std::string& name, const Shape& x, const Extents& kernel,
                            Index outputs, const ConvTranspose3d& conv = {}, bool biased = true) {
    test::OpCase value{
        .in = {x, Shape{kernel[0], kernel[1], kernel[2], outputs / conv.groups, x[4]}},
        .build =
            [=](Graph& g, const std::vector<Value>& v) {
              framefold::conv_transpose3d(g, v[0], v[1], v.size() > 2 ? v[2] : Value{}, conv);
            },
        .name = name};
    // Weights as they are initialised: sums of unit size, so that activations do not saturate.
    const double scale =
        1 / std::sqrt(static_cast<double>(kernel[0] * kernel[1] * kernel[2] * x[4] / conv.groups));
    value.fill = [=](int input, Index i, Random random) {
      return (input == 1 ? scale : 1.0) *
             static_cast<double>(random.normal(static_cast<std::uint64_t>(i)));
    };
    if (biased) value.in.emplace_back(Shape{outputs});
    // The derivative of sigmoid and tanh reads y rounded to bf16: up to 2.3 measured.
    if (conv.activation.kind == Activation::sigmoid || conv.activation.kind == Activation::tanh)
      value.reduced_factor = 3;
    add(value);
  };
  const Extents k3{3, 3, 3};
  const Extents k4{4, 4, 4};
  const Extents two{2, 2, 2};
  const Extents one{1, 1, 1};

  for (const Index channels : {1, 3, 17, 33})
    for (const Index outputs : {1, 3, 17, 33})
      add_case("channels", {1, 2, 2, 3, channels}, k4, outputs, {.stride = two, .padding = one});
  for (const Activation activation : fused) {
    add_case("activation", {1, 1, 2, 3, 5}, k4, 18,
             {.stride = two, .padding = one, .activation = activation});
    add_case("activation, few outputs", {1, 2, 3, 5, 20}, k4, 3,
             {.stride = two, .padding = one, .activation = activation});
    add_case("activation, depthwise", {1, 2, 3, 4, 20}, k4, 20,
             {.stride = two, .padding = one, .groups = 20, .activation = activation});
  }
  add_case("output padding", {2, 2, 3, 4, 6}, k3, 17,
           {.stride = two, .padding = one, .output_padding = one});
  add_case("output padding, few outputs", {1, 2, 3, 4, 16}, k3, 1,
           {.stride = {3, 2, 3}, .padding = one, .output_padding = {2, 1, 0}});
  add_case("2-D", {2, 1, 5, 4, 8}, {1, 4, 4}, 12, {.stride = {1, 2, 2}, .padding = {0, 1, 1}});
  add_case("1x1x1", {1, 2, 3, 2, 7}, one, 9, {}, false);
  add_case("a single position", {1, 1, 1, 1, 1}, one, 1);
  add_case("from one position", {3, 1, 1, 1, 20}, k4, 17);
  add_case("stride past the kernel", {1, 2, 3, 4, 6}, {2, 1, 2}, 10, {.stride = {3, 2, 4}});
  add_case("stride past the kernel, few outputs", {1, 2, 3, 4, 16}, {2, 1, 2}, 2,
           {.stride = {3, 2, 4}});
  add_case("dilation", {1, 2, 3, 4, 5}, k3, 17,
           {.stride = {1, 2, 2}, .padding = {1, 1, 2}, .dilation = {1, 2, 3}});
  add_case("dilation, few outputs", {1, 2, 3, 4, 17}, k3, 2,
           {.stride = {1, 2, 2}, .padding = {1, 1, 2}, .dilation = {1, 2, 3}});
  add_case("groups", {1, 2, 3, 4, 6}, k4, 9, {.stride = two, .padding = one, .groups = 3});
  add_case("depthwise, output padding", {1, 2, 3, 4, 9}, k3, 9,
           {.stride = two, .padding = one, .output_padding = one, .groups = 9}, false);
  add_case("many channels", {1, 2, 4, 3, 140}, k4, 40, {.stride = two, .padding = one});
}

namespace {

constexpr DType f32 = DType::f32;
constexpr Path paths[] = {Path::reference, Path::native, Path::vendor, Path::automatic};

// [1 2] along W with kernel [1 10 100], stride 2: 1 10 100+2 20 200, then bias, then the outermost
// positions go to the padding and one is added behind.
TEST(ConvTranspose3d, HandComputed) {
  const float x[] = {1, 2};
  const float weight[] = {1, 10, 100};
  const float bias[] = {0.5F};
  const float dz[] = {1, 2, 3, 4};
  const TensorType x_type{f32, {1, 1, 1, 2, 1}};
  const TensorType weight_type{f32, {1, 1, 3, 1, 1}};
  const ConvTranspose3d conv{
      .stride = {1, 1, 2}, .padding = {0, 0, 1}, .output_padding = {0, 0, 1}};
  const Shape y_shape{1, 1, 1, 4, 1};
  EXPECT_EQ(conv_transpose3d_type(conv, x_type, weight_type), (TensorType{f32, y_shape}));
  for (const Path path : paths) {
    const Stream stream{.device = {}, .threads = 2, .path = path};
    std::vector<float> memory(1 << 16);
    const auto workspace = [&](Bytes bytes) {
      EXPECT_LE(bytes, memory.size() * sizeof(float));
      return Workspace(memory.data(), bytes);
    };
    float y[4];
    conv_transpose3d_forward(
        stream, conv, {y, f32, y_shape},
        workspace(conv_transpose3d_forward_workspace(stream, conv, x_type, weight_type)),
        {x, f32, x_type.shape}, {weight, f32, weight_type.shape}, {bias, f32, {1}});
    const float expected[] = {10.5F, 102.5F, 20.5F, 200.5F};
    for (int i = 0; i < 4; ++i) EXPECT_FLOAT_EQ(y[i], expected[i]) << i;

    float dx[2];
    conv_transpose3d_dgrad(
        stream, conv, {dx, f32, x_type.shape},
        workspace(conv_transpose3d_dgrad_workspace(stream, conv, x_type, weight_type)),
        {dz, f32, y_shape}, {weight, f32, weight_type.shape});
    EXPECT_FLOAT_EQ(dx[0], 10 * 1 + 100 * 2);
    EXPECT_FLOAT_EQ(dx[1], 1 * 2 + 10 * 3 + 100 * 4);

    float dweight[] = {0, 1000, 0};
    conv_transpose3d_wgrad(
        stream, conv, {dweight, f32, weight_type.shape},
        workspace(conv_transpose3d_wgrad_workspace(stream, conv, x_type, weight_type)),
        {dz, f32, y_shape}, {x, f32, x_type.shape});
    const float expected_dw[] = {2 * 2, 1000 + 1 * 1 + 2 * 3, 1 * 2 + 2 * 4};
    for (int i = 0; i < 3; ++i) EXPECT_FLOAT_EQ(dweight[i], expected_dw[i]) << i;
  }
}

std::string message(const ConvTranspose3d& conv, const TensorType& x, const TensorType& weight) {
  try {
    conv_transpose3d_type(conv, x, weight);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(ConvTranspose3d, AWrongOperandIsNamed) {
  const TensorType x{f32, {2, 4, 8, 8, 6}};
  EXPECT_EQ(message({}, x, {f32, {4, 4, 4, 3, 8}}),
            "conv_transpose3d: weight is f32 [4, 4, 4, 3, 8], expected f32 [4, 4, 4, 3, 6] to "
            "match the channels of x");
  EXPECT_EQ(message({.output_padding = {1, 0, 0}}, x, {f32, {4, 4, 4, 3, 6}}),
            "conv_transpose3d: output padding is [1, 0, 0], expected at least 0 and below the "
            "stride [1, 1, 1]");
  EXPECT_EQ(message({.groups = 4}, x, {f32, {4, 4, 4, 3, 6}}),
            "conv_transpose3d: groups is 4, expected a divisor of the 6 channels of x and of the "
            "12 outputs");
  EXPECT_EQ(message({.padding = {4, 0, 0}}, x, {f32, {2, 1, 1, 3, 6}}),
            "conv_transpose3d: the output would be empty: padding [4, 0, 0] takes away all that "
            "kernel [2, 1, 1] makes of the input [4, 8, 8]");
}

}  // namespace
}  // namespace framefold

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

OP_CASES(conv3d) {
  const auto add_case = [&](const std::string& name, const Shape& x, const Extents& kernel,
                            Index outputs, const Conv3d& conv = {}, bool biased = true) {
    test::OpCase value{
        .in = {x, Shape{kernel[0], kernel[1], kernel[2], x[4] / conv.groups, outputs}},
        .build =
            [=](Graph& g, const std::vector<Value>& v) {
              framefold::conv3d(g, v[0], v[1], v.size() > 2 ? v[2] : Value{}, conv);
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
  const Extents two{2, 2, 2};
  const Extents one{1, 1, 1};

  // Channels on both sides of vectors, tiles and merged taps; positions past a tile's rows.
  for (const Index channels : {1, 3, 8, 17, 40})
    for (const Index outputs : {1, 3, 17, 33})
      add_case("channels", {2, 2, 3, 5, channels}, k3, outputs, {.padding = one});
  for (const Activation activation : fused) {
    add_case("activation", {1, 3, 4, 5, 5}, k3, 18,
             {.stride = {1, 2, 1}, .padding = one, .activation = activation});
    add_case("activation, few outputs", {1, 2, 4, 6, 20}, k3, 3,
             {.padding = one, .activation = activation});
    add_case("activation, depthwise", {1, 2, 4, 6, 20}, k3, 20,
             {.padding = one, .groups = 20, .activation = activation});
  }

  add_case("many positions", {1, 4, 12, 12, 2}, one, 3);
  add_case("1x1x1", {2, 2, 3, 4, 7}, one, 9, {}, false);
  add_case("1x1x1, strided", {1, 3, 5, 4, 17}, one, 33, {.stride = two}, false);
  add_case("a single position", {1, 1, 1, 1, 1}, one, 1);
  add_case("2-D", {3, 1, 9, 7, 6}, {1, 3, 3}, 20, {.stride = {1, 2, 2}, .padding = {0, 1, 1}});
  add_case("2-D, few outputs", {2, 1, 6, 8, 18}, {1, 4, 4}, 2,
           {.stride = {1, 2, 2}, .padding = {0, 1, 1}});
  add_case("stride 2, odd extents", {2, 5, 7, 9, 3}, k3, 32, {.stride = two, .padding = one});
  add_case("stride 2, even extents", {1, 4, 6, 8, 16}, k3, 24, {.stride = two, .padding = one});
  add_case("stride past the kernel", {1, 5, 7, 8, 6}, {2, 1, 2}, 10, {.stride = {3, 2, 4}});
  add_case("stride past the kernel, few channels", {1, 5, 7, 8, 2}, two, 10, {.stride = {3, 3, 3}});
  add_case("asymmetric kernel and stride", {1, 4, 7, 6, 12}, {2, 4, 3}, 19,
           {.stride = {1, 3, 2}, .padding = {1, 0, 2}});
  add_case("padding past the kernel", {1, 2, 3, 3, 4}, {2, 3, 2}, 17, {.padding = {2, 3, 4}});
  add_case("kernel past the input", {1, 2, 3, 2, 3}, {4, 5, 6}, 18, {.padding = {2, 2, 3}});
  add_case("kernel past the input, many channels", {1, 2, 2, 3, 18}, {3, 3, 7}, 2,
           {.padding = {1, 1, 3}});
  add_case("dilation", {1, 5, 6, 9, 3}, k3, 17, {.padding = {1, 2, 3}, .dilation = {1, 2, 3}});
  add_case("dilation, many channels", {1, 3, 6, 9, 18}, {1, 3, 3}, 17,
           {.padding = {0, 2, 3}, .dilation = {1, 2, 3}});
  add_case("dilation, few outputs", {1, 3, 6, 9, 18}, {1, 3, 3}, 2,
           {.padding = {0, 2, 3}, .dilation = {1, 2, 3}});
  add_case("dilation and stride share a divisor", {1, 5, 9, 8, 9}, k3, 20,
           {.stride = {2, 4, 2}, .padding = {2, 2, 1}, .dilation = {2, 2, 4}});
  add_case("dilation and stride share none", {1, 5, 9, 8, 2}, {2, 3, 4}, 20,
           {.stride = {2, 3, 2}, .padding = {2, 2, 1}, .dilation = {1, 2, 3}});
  add_case("groups", {2, 2, 4, 5, 6}, k3, 9, {.padding = one, .groups = 3});
  add_case("groups of many channels", {1, 2, 4, 5, 34}, k3, 66, {.padding = one, .groups = 2});
  add_case("groups of one channel, several outputs each", {1, 2, 4, 5, 5}, k3, 15,
           {.padding = one, .groups = 5});
  add_case("groups of several channels, one output each", {1, 2, 4, 5, 15}, k3, 5,
           {.padding = one, .groups = 5});
  for (const Index channels : {1, 7, 16, 45, 70})
    add_case("depthwise", {1, 3, 4, 5, channels}, k3, channels,
             {.stride = {1, 2, 1}, .padding = one, .groups = channels});
  add_case("depthwise, dilated", {1, 5, 9, 8, 9}, k3, 9,
           {.stride = {2, 4, 2}, .padding = {2, 2, 1}, .dilation = {2, 2, 4}, .groups = 9}, false);

  // Blocks of taps, of positions and of threads.
  add_case("many taps", {1, 6, 6, 6, 20}, {5, 5, 5}, 18, {.padding = {2, 2, 2}});
  add_case("many taps of few channels", {1, 8, 8, 5, 3}, {8, 8, 3}, 18, {.padding = {4, 4, 1}});
  add_case("many channels", {1, 1, 3, 4, 530}, {1, 3, 3}, 40, {.padding = {0, 1, 1}});
  add_case("many positions", {1, 3, 20, 20, 4}, {1, 3, 3}, 6, {.padding = {0, 1, 1}});
  add_case("long lines", {1, 1, 2, 300, 3}, {1, 1, 3}, 34, {.padding = {0, 0, 1}});
}

namespace {

constexpr DType f32 = DType::f32;
constexpr Path paths[] = {Path::reference, Path::native, Path::vendor, Path::automatic};

// Memory for whatever an operation asks, as its plan would give it.
struct Scratch {
  explicit Scratch(Bytes bytes) : memory(bytes + 64) {}
  operator Workspace() {
    void* at = memory.data();
    std::size_t room = memory.size();
    std::align(64, room - 64, at, room);
    return {at, room};
  }
  std::vector<std::byte> memory;
};

// [1 2 3; 4 5 6; 7 8 9] with the kernel [1 0; 2 -1] and bias 10: 1 + 2*4 - 5 + 10 = 14, ...
TEST(Conv3d, HandComputed) {
  const float x[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
  const float weight[] = {1, 0, 2, -1};
  const float bias[] = {10};
  const float dz[] = {1, 2, 3, 4};
  const TensorType x_type{f32, {1, 1, 3, 3, 1}};
  const TensorType weight_type{f32, {1, 2, 2, 1, 1}};
  const Conv3d conv{};
  EXPECT_EQ(conv3d_type(conv, x_type, weight_type), (TensorType{f32, {1, 1, 2, 2, 1}}));
  for (const Path path : paths) {
    const Stream stream{.device = {}, .threads = 2, .path = path};
    float y[4];
    Scratch forward(conv3d_forward_workspace(stream, conv, x_type, weight_type));
    conv3d_forward(stream, conv, {y, f32, {1, 1, 2, 2, 1}}, forward, {x, f32, x_type.shape},
                   {weight, f32, weight_type.shape}, {bias, f32, {1}});
    const float expected[] = {14, 16, 20, 22};
    for (int i = 0; i < 4; ++i) EXPECT_FLOAT_EQ(y[i], expected[i]) << i;

    float dx[9];
    Scratch dgrad(conv3d_dgrad_workspace(stream, conv, x_type, weight_type));
    conv3d_dgrad(stream, conv, {dx, f32, x_type.shape}, dgrad, {dz, f32, {1, 1, 2, 2, 1}},
                 {weight, f32, weight_type.shape});
    const float expected_dx[] = {1, 2, 0, 5, 7, -2, 6, 5, -4};
    for (int i = 0; i < 9; ++i) EXPECT_FLOAT_EQ(dx[i], expected_dx[i]) << i;

    float dweight[] = {100, 0, 0, 0};
    Scratch wgrad(conv3d_wgrad_workspace(stream, conv, x_type, weight_type));
    conv3d_wgrad(stream, conv, {dweight, f32, weight_type.shape}, wgrad, {dz, f32, {1, 1, 2, 2, 1}},
                 {x, f32, x_type.shape});
    const float expected_dw[] = {137, 47, 67, 77};  // 1*1 + 2*2 + 3*4 + 4*5 = 37, ...
    for (int i = 0; i < 4; ++i) EXPECT_FLOAT_EQ(dweight[i], expected_dw[i]) << i;
  }
}

// Stride 2 and padding 1 along W, two channels in, two out: taps outside of x count as 0.
TEST(Conv3d, HandComputedStrideAndPadding) {
  const float x[] = {1, 10, 2, 20, 3, 30, 4, 40};               // W = 4, C = 2
  const float weight[] = {1, 0, 0, 1, 2, 0, 0, 2, 3, 1, 0, 3};  // [k][c][o]
  const TensorType x_type{f32, {1, 1, 1, 4, 2}};
  const TensorType weight_type{f32, {1, 1, 3, 2, 2}};
  const Conv3d conv{.stride = {1, 1, 2}, .padding = {0, 0, 1}, .activation = Activation::relu};
  for (const Path path : paths) {
    const Stream stream{.device = {}, .threads = 1, .path = path};
    float y[4];
    Scratch forward(conv3d_forward_workspace(stream, conv, x_type, weight_type));
    conv3d_forward(stream, conv, {y, f32, {1, 1, 1, 2, 2}}, forward, {x, f32, x_type.shape},
                   {weight, f32, weight_type.shape}, {});
    // w = 0: 2*1 + 3*2, 2*10 + 1*2 + 3*20;  w = 1: 1*2 + 2*3 + 3*4, 20 + 2*30 + 1*4 + 3*40
    const float expected[] = {8, 82, 20, 204};
    for (int i = 0; i < 4; ++i) EXPECT_FLOAT_EQ(y[i], expected[i]) << i;
  }
}

// Reversing the axes of a published weight [O, C, kT, kH, kW] to (2, 3, 4, 1, 0) gives ours: the
// second output of a 1x1x2 kernel sees channel c at tap k through published[1][c][0][0][k].
TEST(Conv3d, PublishedWeights) {
  const float published[2][2][2] = {{{1, 2}, {3, 4}}, {{5, 6}, {7, 8}}};  // [o][c][k]
  float weight[8];
  for (int k = 0; k < 2; ++k)
    for (int c = 0; c < 2; ++c)
      for (int o = 0; o < 2; ++o) weight[(k * 2 + c) * 2 + o] = published[o][c][k];
  const float x[] = {1, 10, 100, 1000};  // [w][c]
  for (const Path path : paths) {
    const Stream stream{.device = {}, .threads = 1, .path = path};
    const TensorType x_type{f32, {1, 1, 1, 2, 2}};
    const TensorType weight_type{f32, {1, 1, 2, 2, 2}};
    Scratch forward(conv3d_forward_workspace(stream, {}, x_type, weight_type));
    float y[2];
    conv3d_forward(stream, {}, {y, f32, {1, 1, 1, 1, 2}}, forward, {x, f32, x_type.shape},
                   {weight, f32, weight_type.shape}, {});
    EXPECT_FLOAT_EQ(y[0], 1 * 1 + 2 * 100 + 3 * 10 + 4 * 1000);
    EXPECT_FLOAT_EQ(y[1], 5 * 1 + 6 * 100 + 7 * 10 + 8 * 1000);
  }
}

std::string message(const Conv3d& conv, const TensorType& x, const TensorType& weight) {
  try {
    conv3d_type(conv, x, weight);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(Conv3d, AWrongOperandIsNamed) {
  const TensorType x{f32, {2, 4, 8, 8, 6}};
  EXPECT_EQ(message({}, {f32, {2, 8, 8, 6}}, {f32, {3, 3, 3, 6, 8}}),
            "conv3d: x is f32 [2, 8, 8, 6], expected [B, T, H, W, C], none of them 0");
  EXPECT_EQ(message({}, x, {f32, {3, 3, 3, 5, 8}}),
            "conv3d: weight is f32 [3, 3, 3, 5, 8], expected f32 [3, 3, 3, 6, 8] to match the "
            "channels of x and the groups");
  EXPECT_EQ(message({}, x, {f32, {3, 3, 6, 8}}),
            "conv3d: weight is f32 [3, 3, 6, 8], expected f32 with axes kT, kH, kW and two of "
            "channels, none of them 0");
  EXPECT_EQ(message({.groups = 4}, x, {f32, {3, 3, 3, 1, 8}}),
            "conv3d: groups is 4, expected a divisor of the 6 channels of x and of the 8 outputs");
  EXPECT_EQ(message({.stride = {1, 0, 1}}, x, {f32, {3, 3, 3, 6, 8}}),
            "conv3d: stride is [1, 0, 1], padding [0, 0, 0], dilation [1, 1, 1]; expected at least "
            "1, 0 and 1 on each axis");
  EXPECT_EQ(message({.padding = {0, 1, 1}}, x, {f32, {5, 3, 3, 6, 8}}),
            "conv3d: the output would be empty: kernel [5, 3, 3] with dilation [1, 1, 1] does not "
            "fit into the input [4, 8, 8] with padding [0, 1, 1]");
  EXPECT_EQ(message({.activation = Activation::silu}, x, {f32, {3, 3, 3, 6, 8}}),
            "conv3d: gelu and silu cannot be fused, as their derivative needs the input; add them "
            "as an operation of their own");
}

}  // namespace
}  // namespace framefold

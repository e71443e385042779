#include "kernels/matmul.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "engine/ops.h"
#include "kernels/device_runtime.h"
#include "kernels/epilogue.h"
#include "tests/op_cases.h"
#include "tests/simt/runtime.h"

namespace framefold {

constexpr Activation fused[] = {Activation::none,
                                Activation::relu,
                                {Activation::leaky_relu, 0.2F},
                                Activation::sigmoid,
                                Activation::tanh};

// Tiles' edges (12 x 32, 6 x 16, 4 x 8 and one past each), every transposition, batches shared
// out whole or one at a time, a depth past one block, rows 512 floats apart, low tiles for rows of
// 1024 in one block and in two.
OP_CASES(matmul) {
  const auto add_case = [&](Shape batch, Index m, Index n, Index k, bool ta, bool tb) {
    Shape a = batch;
    a.push_back(ta ? k : m);
    a.push_back(ta ? m : k);
    Shape b = batch;
    b.push_back(tb ? n : k);
    b.push_back(tb ? k : n);
    add({.in = {a, b},
         .build =
             [=](Graph& g, const std::vector<Value>& v) {
               matmul(g, v[0], v[1], {.transpose_a = ta, .transpose_b = tb});
             },
         .name = text(ta ? "transposed " : "", "times ", tb ? "transposed" : "")});
  };
  for (const bool ta : {false, true})
    for (const bool tb : {false, true}) {
      for (const Index edge : {1, 4, 6, 12, 13, 17}) add_case({}, edge, 2 * edge + 7, 5, ta, tb);
      add_case({}, 25, 33, 17, ta, tb);
      add_case({}, 8, 32, 1, ta, tb);
      add_case({}, 70, 1, 9, ta, tb);
      add_case({}, 67, 131, 40, ta, tb);
      add_case({2, 3}, 9, 11, 7, ta, tb);
      add_case({3}, 65, 66, 64, ta, tb);
    }
  add_case({}, 7, 9, 401, false, false);
  add_case({}, 5, 6, 1601, true, false);
  add_case({}, 14, 100, 512, false, false);
  add_case({}, 201, 1024, 3, false, false);
  add_case({}, 201, 1024, 40, true, false);
  add_case({5}, 130, 30, 3, false, true);
}

OP_CASES(linear) {
  const auto build = [](Activation activation) {
    return [=](Graph& g, const std::vector<Value>& v) {
      linear(g, v[0], v[1], v.size() > 2 ? v[2] : Value{}, activation);
    };
  };
  for (const Activation activation : fused) {
    const std::string name = text("activation ", static_cast<int>(activation.kind));
    add({.in = {{19, 21}, {21, 35}, {35}}, .build = build(activation), .name = name});
    add({.in = {{2, 3, 5, 7}, {7, 33}}, .build = build(activation), .name = name});
    add({.in = {{66, 40}, {40, 70}, {70}}, .build = build(activation), .name = name});
  }
  add({.in = {{9}, {9, 3}, {3}}, .build = build(Activation::none)});
  add({.in = {{1, 1}, {1, 1}, {1}}, .build = build(Activation::relu)});
  add({.in = {{600, 10}, {10, 3}, {3}}, .build = build(Activation::tanh)});
  add({.in = {{2, 600}, {600, 3}, {3}}, .build = build(Activation::none)});
  add({.in = {{400, 10}, {10, 3}, {3}}, .build = build(Activation::sigmoid)});
}

namespace {

constexpr DType f32 = DType::f32;

// A stream with the workspace that it needs.
struct Setting {
  Setting(Path path, Bytes bytes) : stream{.device = {}, .threads = 1, .path = path} {
    memory.resize(bytes + Workspace::alignment);
  }
  Workspace workspace() {
    void* start = memory.data();
    std::size_t space = memory.size();
    std::align(Workspace::alignment, 1, start, space);
    return {start, space};
  }
  Stream stream;
  std::vector<std::byte> memory;
};

constexpr Path paths[] = {Path::reference, Path::native, Path::vendor, Path::automatic};

TEST(MatMul, HandComputed) {
  const float a[] = {1, 2, 3, 4, 5, 6};   // [2, 3]
  const float b[] = {1, 0, 2, -1, 0, 3};  // [3, 2]
  const float bias[] = {10, -20};
  const float expected[] = {15, -13, 24, -7};  // [5 7; 14 13] + [10 -20]
  for (const Path path : paths) {
    Setting s(path, 1 << 20);
    float c[4];
    matmul_forward(s.stream, {}, {c, f32, {2, 2}}, s.workspace(), {a, f32, {2, 3}},
                   {b, f32, {3, 2}}, {bias, f32, {2}});
    for (int i = 0; i < 4; ++i) EXPECT_EQ(c[i], expected[i]) << i;
  }
}

TEST(MatMul, HandComputedBackward) {
  // C = op(A) B with A stored [K, M] = [1 3; 2 4], so op(A) = [1 2; 3 4]; dz = [1 0; 0 2].
  const float a[] = {1, 3, 2, 4};
  const float b[] = {5, 6, 7, 8};
  const float dz[] = {1, 0, 0, 2};
  const MatMul matmul{.transpose_a = true};
  const Shape two{2, 2};
  for (const Path path : paths) {
    Setting s(path, 1 << 20);
    float da[4];
    float db[] = {100, 200, 300, 400};
    matmul_dgrad_a(s.stream, matmul, {da, f32, two}, s.workspace(), {dz, f32, two}, {b, f32, two});
    // B dz^T = [5 12; 7 16]
    EXPECT_THAT(da, testing::ElementsAre(5, 12, 7, 16));
    matmul_wgrad(s.stream, matmul, {db, f32, two}, s.workspace(), {dz, f32, two}, {a, f32, two});
    // op(A)^T dz = [1 6; 2 8], added
    EXPECT_THAT(db, testing::ElementsAre(101, 206, 302, 408));
    matmul_dgrad_b(s.stream, matmul, {db, f32, two}, s.workspace(), {dz, f32, two}, {a, f32, two});
    EXPECT_THAT(db, testing::ElementsAre(1, 6, 2, 8));
  }
}

TEST(MatMul, WithoutProductsTheBiasStands) {
  const float bias[] = {1, -2, 3};
  const Activation relu = Activation::relu;
  for (const Path path : paths) {
    Setting s(path, 1 << 20);
    float c[6];
    matmul_forward(s.stream, {.activation = relu}, {c, f32, {2, 3}}, s.workspace(),
                   {c, f32, {2, 0}}, {c, f32, {0, 3}}, {bias, f32, {3}});
    EXPECT_THAT(c, testing::ElementsAre(1, 0, 3, 1, 0, 3));
  }
}

TEST(MatMul, AWrongOperandIsNamed) {
  const auto message = [](auto&& build) -> std::string {
    Graph g;
    try {
      build(g);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_EQ(message([](Graph& g) {
              const Value x = g.input("x", {f32, {4, 784}});
              linear(g, x, g.parameter("w", {32, 784}, Init::zeros()));
            }),
            "linear: weight is f32 [32, 784], expected [784, N] to match the last axis of x f32 "
            "[4, 784]");
  EXPECT_EQ(
      message([](Graph& g) {
        const Value x = g.input("x", {f32, {4, 7}});
        linear(g, x, g.parameter("w", {7, 3}, Init::zeros()), g.parameter("b", {7}, Init::zeros()));
      }),
      "linear: bias is f32 [7], expected f32 [3] to match the last axis of the weight");
  EXPECT_EQ(message([](Graph& g) {
              matmul(g, g.input("a", {f32, {2, 5, 7}}), g.input("b", {f32, {3, 7, 9}}));
            }),
            "matmul: b is f32 [3, 7, 9], expected [..., 7, N] with the leading axes of a f32 "
            "[2, 5, 7]");
  EXPECT_EQ(message([](Graph& g) {
              const Value a = g.input("a", {f32, {5, 7}});
              matmul(g, a, a, {.transpose_b = true, .activation = Activation::silu});
            }),
            "matmul: gelu and silu cannot be fused, as their derivative needs the input; add them "
            "as an operation of their own");
}

TEST(Epilogue, HandComputed) {
  const float y[] = {0, 2, 0.5F, -1, 0, 3};
  const float dy[] = {1, 2, 4, 8, 16, 32};
  const auto check = [&](Activation activation, std::array<float, 6> dz,
                         std::array<float, 3> sums) {
    for (const Path path : paths) {
      Setting s(path, 1 << 20);
      float got[6];
      float dbias[] = {100, 200, 300};
      epilogue_backward(s.stream, activation, {got, f32, {2, 3}}, {dbias, f32, {3}}, s.workspace(),
                        {dy, f32, {2, 3}}, {y, f32, {2, 3}});
      if (activation.kind != Activation::none) {
        EXPECT_THAT(got, testing::Pointwise(testing::FloatEq(), dz));
      }
      for (std::size_t i = 0; i < 3; ++i)
        EXPECT_FLOAT_EQ(dbias[i], 100 * static_cast<float>(i + 1) + sums[i]);
    }
  };
  check(Activation::none, {}, {9, 18, 36});
  check(Activation::relu, {0, 2, 4, 0, 0, 32}, {0, 2, 36});
  check({Activation::leaky_relu, 0.5F}, {0.5F, 2, 4, 4, 8, 32}, {4.5F, 10, 36});
  check(Activation::sigmoid, {0, -4, 1, -16, 0, -192}, {-16, -4, -191});
  check(Activation::tanh, {1, -6, 3, 0, 16, -256}, {1, 10, -253});
}

// More rows than a block, fewer channels than a line, more than one thread, dz over dy.
TEST(Epilogue, LongSums) {
  for (const Index channels : {1, 3, 64, 70}) {
    const Index rows = 60000 / channels;
    const Shape shape{rows, channels};
    std::vector<float> y(static_cast<std::size_t>(rows * channels));
    std::vector<float> dy(y.size());
    std::vector<double> sums(static_cast<std::size_t>(channels), 0.5);
    for (std::size_t i = 0; i < y.size(); ++i) {
      y[i] = i % 5 == 0 ? -1.0F : 1.0F;
      dy[i] = static_cast<float>(i % 11) - 3.0F;
      if (y[i] > 0) sums[i % static_cast<std::size_t>(channels)] += static_cast<double>(dy[i]);
    }
    Setting s(Path::automatic, 1 << 20);
    s.stream.threads = 3;
    std::vector<float> dbias(static_cast<std::size_t>(channels), 0.5F);
    const Tensor dz{dy.data(), f32, shape};
    epilogue_backward(s.stream, Activation::relu, dz, {dbias.data(), f32, {channels}},
                      s.workspace(), dz, {y.data(), f32, shape});
    for (std::size_t c = 0; c < sums.size(); ++c)
      EXPECT_NEAR(dbias[c], sums[c], 1e-6 * static_cast<double>(rows)) << channels << ' ' << c;
    for (std::size_t i = 0; i < y.size(); ++i)
      ASSERT_EQ(dy[i], y[i] > 0 ? static_cast<float>(i % 11) - 3.0F : 0.0F) << i;
  }
}

// More columns of tiles than a grid has room for along y. Recorded, which checks launches, not run.
TEST(ProductOnDevice, TakesTheWidestMatrix) {
  if (const std::string why = simt::why_no_device(); !why.empty()) GTEST_SKIP() << why;
  constexpr Index n = Index{1} << 23;
  DeviceRuntime& device = device_runtime(Device::cuda(0));
  void* queue = device.make_queue();
  device.begin_capture(queue);
  EXPECT_NO_THROW(product({.device = Device::cuda(0), .queue = queue}, {.m = 1, .n = n, .k = 1},
                          {nullptr, f32, {1, n}}, {}, {nullptr, f32, {1, 1}},
                          {nullptr, f32, {1, n}}, {}));
  device.release_graph(device.end_capture(queue));
  device.release_queue(queue);
}

}  // namespace
}  // namespace framefold

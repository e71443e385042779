#include "kernels/matmul.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "engine/ops.h"
#include "kernels/epilogue.h"
#include "tests/op_cases.h"

namespace framefold {

constexpr Activation fused[] = {Activation::none,
                                Activation::relu,
                                {Activation::leaky_relu, 0.2F},
                                Activation::sigmoid,
                                Activation::tanh};

// Tiles' edges (12 x 32, 6 x 16, 4 x 8 and one past each), every transposition, batches shared
// out whole or one at a time, a depth past one block, rows 512 floats apart.
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
  add({.in = {{400, 10}, {10, 3}, {3}}, .build = build(Activation::sigmoid)});
}

namespace {

constexpr DType f32 = DType::f32;

TEST(MatMul, HandComputed) {
  const float a[] = {1, 2, 3, 4, 5, 6};   // [2, 3]
  const float b[] = {1, 0, 2, -1, 0, 3};  // [3, 2]
  const float bias[] = {10, -20};
  const float expected[] = {15, -13, 24, -7};  // [1 2 3] [1 0; 2 -1; 0 3] = [5 7], [14 13]
  for (const Path path : {Path::reference, Path::native, Path::vendor, Path::automatic}) {
    const Stream stream{.device = {}, .threads = 1, .path = path};
    float c[4];
    matmul_forward(stream, {}, {c, f32, {2, 2}}, {}, {a, f32, {2, 3}}, {b, f32, {3, 2}},
                   {bias, f32, {2}});
    for (int i = 0; i < 4; ++i) EXPECT_EQ(c[i], expected[i]) << i;
  }
}

}  // namespace
}  // namespace framefold

#include "kernels/attention.h"

#include <cmath>
#include <limits>

#include "engine/ops.h"
#include "tests/arrays.h"
#include "tests/op_cases.h"

namespace framefold::test {
namespace {

struct Heads {
  Index batch, tokens, heads, depth;
};

OpCase attention_case(const Heads& of, Attention options = {}, std::vector<double> lengths = {}) {
  options.heads = of.heads;
  OpCase value{.in = {{of.batch, of.tokens, 3 * of.heads * of.depth}},
               .build =
                   [=](Graph& g, const std::vector<Value>& v) {
                     attention(g, v[0], options, v.size() > 1 ? v[1] : Value{});
                   },
               .name = text(of.heads, " heads", options.causal ? ", causal" : ""),
               .fill =
                   [=](int input, Index i, Random random) {
                     return input == 1
                                ? lengths[static_cast<std::size_t>(i)]
                                : static_cast<double>(random.normal(static_cast<std::uint64_t>(i)));
                   }};
  if (!lengths.empty()) value.in.emplace_back(DType::i32, Shape{of.batch});
  return value;
}

}  // namespace

// One token, less than a tile of any machine, tiles with tails, several blocks of queries and keys;
// heads that are shared among threads; samples that end before, at and past a block's edge.
OP_CASES(attention) {
  for (const bool causal : {false, true}) {
    add(attention_case({1, 1, 1, 1}, {.causal = causal}));
    add(attention_case({2, 5, 3, 3}, {.causal = causal}));
    add(attention_case({1, 17, 2, 16}, {.causal = causal, .scale = 0.5}));
    add(attention_case({1, 100, 1, 33}, {.causal = causal}));
    add(attention_case({1, 300, 1, 8}, {.causal = causal}));
    add(attention_case({2, 37, 2, 80}, {.causal = causal}, {37, 20}));
    add(attention_case({4, 140, 1, 4}, {.causal = causal}, {140, 0, 1, 129}));
  }
  add(attention_case({1, 160, 3, 64}));
}

namespace {

struct Outcome {
  std::vector<float> y, lse, dqkv;
};

Outcome run(const Stream& stream, const Attention& options, const Array<>& qkv, const Array<>& dy,
            View lengths = {}) {
  const Index tokens = qkv.shape[1];
  Array<> y{dy.shape};
  Array<> lse{{qkv.shape[0], options.heads, tokens}};
  Array<> dqkv{qkv.shape};
  const TensorType type = View(qkv).type();
  const auto space = [](Bytes bytes) { return std::vector<double>(bytes / sizeof(double) + 1); };
  const Bytes forward = attention_forward_workspace(stream, options, type, false);
  attention_forward(stream, options, y, lse, {space(forward).data(), forward}, qkv, lengths);
  const Bytes backward = attention_dgrad_workspace(stream, options, type, false);
  attention_dgrad(stream, options, dqkv, {space(backward).data(), backward}, dy, qkv, y, lse,
                  lengths);
  return {y.values, lse.values, dqkv.values};
}

// Two heads of depth 1. Head 0: q 1 0, k ln2 0, v 3 6; head 1: q 0 1, k ln3 0, v 10 20.
Array<> two_tokens() {
  return {{1, 2, 6}, {1, 0, std::log(2.0F), std::log(3.0F), 3, 10, 0, 1, 0, 0, 6, 20}};
}

TEST(Attention, HandComputed) {
  const float ln2 = std::log(2.0F);
  const float ln3 = std::log(3.0F);
  const Array<> dy{{1, 2, 2}, {3, 0, 0, 0}};
  for (const Stream& stream : each_path()) {
    Outcome o = run(stream, {.heads = 2}, two_tokens(), dy);
    // p of head 0: 2/3 1/3, 1/2 1/2; of head 1: 1/2 1/2, 3/4 1/4
    expect_near<float>(o.y, {4, 15, 4.5F, 12.5F}, 1e-5);
    expect_near<float>(o.lse, {ln3, ln2, ln2, 2 * ln2}, 1e-6);
    // dy v: 9 18; dy y: 12; so ds of head 0's first token: -2 2
    expect_near<float>(o.dqkv, {-2 * ln2, 0, -2, 0, 2, 0, 0, 0, 2, 0, 1, 0}, 1e-5);

    o = run(stream, {.heads = 2, .causal = true}, two_tokens(), dy);
    expect_near<float>(o.y, {3, 10, 4.5F, 12.5F}, 1e-5);
    expect_near<float>(o.lse, {ln2, ln2, 0, 2 * ln2}, 1e-6);
    expect_near<float>(o.dqkv, {0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0}, 1e-5);

    o = run(stream, {.heads = 2, .scale = 2}, two_tokens(), dy);
    // p of head 0: 4/5 1/5, 1/2 1/2; of head 1: 1/2 1/2, 9/10 1/10
    expect_near<float>(o.y, {3.6F, 15, 4.5F, 11}, 1e-5);
  }
}

TEST(Attention, WhatStandsPastTheLengthIsNotRead) {
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  Array<> qkv = two_tokens();
  std::fill(qkv.values.begin() + 6, qkv.values.end(), nan);
  const Array<> dy{{1, 2, 2}, {1, 2, nan, nan}};
  for (const Stream& stream : each_path()) {
    const Outcome o = run(stream, {.heads = 2}, qkv, dy, Array<std::int32_t>{{1}, {1}});
    expect_near<float>(o.y, {3, 10, 0, 0}, 0);
    expect_near<float>(o.lse, {std::log(2.0F), 0, 0, 0}, 1e-6);
    expect_near<float>(o.dqkv, {0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0}, 1e-5);
  }
}

// Scores of 1e4 on one side: their exponentials do not fit into f32, their differences do.
TEST(Attention, LargeScores) {
  Array<> qkv{{1, 3, 3}, {100, 100, 1, 100, 99, 2, -100, 100, 3}};
  const Array<> dy{{1, 3, 1}, {0, 0, 0}};
  for (const Stream& stream : each_path()) {
    const Outcome o = run(stream, {}, qkv, dy);
    expect_near<float>(o.y, {2, 2, 2}, 1e-6);
    expect_near<float>(o.lse, {10000.6931F, 10000.6931F, -9900}, 1e-3);
  }
}

TEST(Attention, ErrorsNameTheOperand) {
  Graph g;
  const Value qkv = g.input("qkv", {DType::f32, {2, 5, 24}});
  expect_error(ErrorCode::shape,
               "attention: qkv is f32 [2, 5, 24], expected [B, N, 3 H d] with H = 3 heads",
               [&] { attention(g, qkv, {.heads = 3}); });
  expect_error(ErrorCode::argument, "attention: heads is 0, expected at least 1",
               [&] { attention(g, qkv, {.heads = 0}); });
  const Value lengths = g.input("lengths", {DType::i32, {5}});
  expect_error(ErrorCode::shape,
               "attention: lengths is i32 [5], expected i32 [2] to match the samples of qkv",
               [&] { attention(g, qkv, {.heads = 4}, lengths); });
  Array<> y{{1, 2, 2}};
  Array<> lse{{1, 2, 2}};
  expect_error(ErrorCode::argument,
               "attention: lengths[0] is 3, expected 0 to 2, the number of tokens in qkv", [&] {
                 attention_forward({}, {.heads = 2}, y, lse, {}, two_tokens(),
                                   Array<std::int32_t>{{1}, {3}});
               });
}

}  // namespace
}  // namespace framefold::test

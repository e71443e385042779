#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/ops.h"
#include "tests/arrays.h"
#include "tests/op_cases.h"

namespace framefold {
namespace {

struct Sizes {
  Index batch, steps, inputs, hidden;
  bool peepholes = false, start = false, lengths = false;
};

test::OpCase lstm_case(const Sizes& s) {
  std::vector<test::Operand> in = {{s.batch, s.steps, s.inputs},
                                   {s.inputs, 4 * s.hidden},
                                   {s.hidden, 4 * s.hidden},
                                   {4 * s.hidden}};
  if (s.peepholes) in.push_back({3 * s.hidden});
  if (s.start) in.insert(in.end(), {{s.batch, s.hidden}, {s.batch, s.hidden}});
  if (s.lengths) in.push_back({DType::i32, {s.batch}});
  const auto build = [s](Graph& g, const std::vector<Value>& v) {
    std::size_t next = 4;
    LstmWeights weights{v[1], v[2], v[3]};
    if (s.peepholes) weights.peepholes = v[next++];
    LstmState start;
    if (s.start) start.h = v[next++];
    if (s.start) start.c = v[next++];
    lstm(g, v[0], weights, start, s.lengths ? v[next] : Value{});
  };
  // Weights that keep the gates off their ends; all lengths from the whole down to none.
  const auto fill = [s](int input, Index i, Random random) {
    if (s.lengths && input == 4 + s.peepholes + 2 * s.start)
      return static_cast<double>(std::max<Index>(0, s.steps - i % (s.steps + 1)));
    const double normal = static_cast<double>(random.normal(static_cast<std::uint64_t>(i)));
    if (input == 1) return normal / std::sqrt(static_cast<double>(s.inputs));
    if (input == 2) return normal / std::sqrt(static_cast<double>(s.hidden));
    return normal;
  };
  return {.in = in, .build = build, .fill = fill};
}

}  // namespace

// Every set of options; one step; units below, at and past a panel; depths and rows past a block;
// a sequence without input.
OP_CASES(lstm) {
  for (const bool peepholes : {false, true})
    for (const bool start : {false, true})
      for (const bool lengths : {false, true})
        add(lstm_case({3, 4, 5, 7, peepholes, start, lengths}));
  add(lstm_case({2, 1, 3, 5}));
  add(lstm_case({4, 1, 3, 33, true, true, true}));
  add(lstm_case({1, 3, 1, 1, true, true}));
  add(lstm_case({2, 3, 4, 32}));
  add(lstm_case({2, 3, 4, 64, true}));
  add(lstm_case({13, 3, 9, 70, true, true, true}));
  add(lstm_case({16, 2, 20, 150}));
  add(lstm_case({27, 3, 2, 33, false, true, true}));
  add(lstm_case({2, 3, 0, 6, true, true}));
}

namespace {

using test::Array;
using test::each_path;
using test::expect_near;
using Numbers = std::vector<float>;

// One layer with the state before it; what forward and backward make of it, for gradients dh = 1
// and dc_last given.
struct Layer {
  Array<> x, wx, wh, bias, h0, c0;
  std::vector<float> peepholes = {};
  std::vector<std::int32_t> lengths = {};

  Index batch = x.shape[0], steps = x.shape[1], hidden = wh.shape[0];
  Array<> h{{batch, steps, hidden}}, h_last{{batch, hidden}}, c_last{{batch, hidden}};
  Array<> gates{{batch, steps, 4 * hidden}}, dgates{gates};
  Array<> cells{h}, dx{x.shape}, dh0{h_last}, dc0{h_last};
  Array<> dwx{wx.shape, Numbers(wx.values.size())}, dwh{wh.shape, Numbers(wh.values.size())};
  Array<> dbias{bias.shape, Numbers(bias.values.size())};
  Array<> dpeepholes{{3 * hidden}, Numbers(static_cast<std::size_t>(3 * hidden))};

  void run(const Stream& stream, float dc) {
    LstmInputs in{.x = x,
                  .wx = wx,
                  .wh = wh,
                  .bias = bias,
                  .peepholes = {},
                  .h0 = h0,
                  .c0 = c0,
                  .lengths = {}};
    if (!peepholes.empty()) in.peepholes = {peepholes.data(), DType::f32, {3 * hidden}};
    if (!lengths.empty()) in.lengths = {lengths.data(), DType::i32, {batch}};
    alignas(Workspace::alignment) static std::byte memory[1 << 18];
    const Workspace workspace(memory, sizeof memory);
    lstm_forward(stream,
                 {.h = h, .h_last = h_last, .c_last = c_last, .gates = gates, .cells = cells},
                 workspace, in);
    Array<> dh{h.shape, Numbers(h.values.size(), 1)};
    Array<> dc_last{h_last.shape, Numbers(h_last.values.size(), dc)};
    const LstmResults results{
        .h = h, .gates = gates, .cells = cells, .dh = dh, .dh_last = {}, .dc_last = dc_last};
    lstm_dgates(stream, dgates, dh0, dc0, workspace, in, results);
    lstm_dgrad(stream, dx, workspace, dgates, wx);
    lstm_wgrad(stream,
               {.wx = dwx,
                .wh = dwh,
                .bias = dbias,
                .peepholes = peepholes.empty() ? Tensor{} : Tensor(dpeepholes)},
               workspace, dgates, in, results);
  }
};

// One unit from a state, whose gates are fractions: i = 3/4, f = 1/4, g = 1/2, o = 3/4.
TEST(Lstm, HandComputed) {
  const float log3 = std::log(3.0F);
  for (const Stream& stream : each_path()) {
    Layer layer{.x = {{1, 1, 1}, {0}},
                .wx = {{1, 4}, {5, 6, 7, 8}},
                .wh = {{1, 4}, {2 * log3, 0, log3 / 2, 0}},
                .bias = {{4}, {0, 0, 0, 0}},
                .h0 = {{1, 1}, {1}},
                .c0 = {{1, 1}, {1}},
                .peepholes = {-log3, -log3, log3 / 0.625F}};
    layer.run(stream, 0);
    expect_near(layer.gates.values, {0.75F, 0.25F, 0.5F, 0.75F}, 1e-6);
    expect_near(layer.c_last.values, {0.625F}, 1e-6);  // 1/4 1 + 3/4 1/2
    expect_near(layer.cells.values, {0.625F}, 1e-6);
    expect_near(layer.h.values, {0.4159498F}, 1e-6);  // 3/4 tanh(5/8)
    expect_near(layer.h_last.values, {0.4159498F}, 1e-6);
    // dzo = tanh(c) o (1 - o), dc = o (1 - tanh(c)^2) + dzo p_o, dzi = dc g i (1 - i), ...
    expect_near(layer.dgates.values, {0.0658220F, 0.1316440F, 0.3949320F, 0.1039874F}, 1e-6);
    expect_near(layer.dh0.values, {0.3615643F}, 1e-6);
    expect_near(layer.dc0.values, {-0.0414132F}, 1e-6);
    expect_near(layer.dpeepholes.values, {0.0658220F, 0.1316440F, 0.625F * 0.1039874F}, 1e-6);
  }
}

// Two steps of two units; the numbers are those of PyTorch's nn.LSTM with the weights transposed.
TEST(Lstm, AsInPyTorch) {
  for (const Stream& stream : each_path()) {
    Layer layer{.x = {{1, 2, 2}, {1, -1, 0.5F, 2}},
                .wx = Array<>{{2, 8}},
                .wh = Array<>{{2, 8}},
                .bias = Array<>{{8}},
                .h0 = {{1, 2}, {0.3F, -0.2F}},
                .c0 = {{1, 2}, {-0.5F, 0.4F}}};
    for (int j = 0; j < 16; ++j) {
      const auto at = static_cast<std::size_t>(j);
      layer.wx.values[at] = 0.1F * static_cast<float>(3 * j % 7 - 3);
      layer.wh.values[at] = 0.1F * static_cast<float>(5 * j % 11 - 5);
      if (j < 8) layer.bias.values[at] = 0.1F * static_cast<float>(j - 3);
    }
    layer.run(stream, 2);
    expect_near(layer.h.values, {-0.0900777F, 0.0367289F, -0.0650458F, 0.1334710F}, 1e-6);
    expect_near(layer.h_last.values, {-0.0650458F, 0.1334710F}, 1e-6);
    expect_near(layer.c_last.values, {-0.1523373F, 0.2375406F}, 1e-6);
    expect_near(layer.dx.values, {-0.2510736F, 0.0373727F, -0.0952196F, 0.0391868F}, 1e-6);
    expect_near(layer.dh0.values, {-0.2646288F, 0.3952181F}, 1e-6);
    expect_near(layer.dc0.values, {1.1137554F, 0.9899853F}, 1e-6);
    expect_near(layer.dwx.values,
                {0.1501206F, -0.0367920F, -0.2587220F, 0.2442050F, 0.8597976F, 1.5059953F,
                 -0.0488349F, 0.0582902F, -0.4871985F, 0.5331369F, 0.0625129F, -0.1265144F,
                 1.4414584F, 1.8776286F, -0.0438092F, 0.0843850F},
                1e-6);
    expect_near(layer.dwh.values,
                {0.0774061F, -0.0587021F, -0.0587744F, 0.0619595F, 0.0369472F, 0.1268655F,
                 -0.0057538F, 0.0037858F, -0.0484594F, 0.0345043F, 0.0410134F, -0.0424043F,
                 -0.0461003F, -0.1161434F, 0.0047001F, -0.0038549F},
                1e-6);
    expect_near(layer.dbias.values,
                {0.0827050F, 0.0624770F, -0.2979638F, 0.2677431F, 1.3200487F, 2.1827200F,
                 -0.0673638F, 0.0868253F},
                1e-6);
  }
}

// A row of length 2 among longer ones is the sequence of its first 2 steps; one of length 0 hands
// its state and gradients through.
TEST(Lstm, PastItsLengthARowStands) {
  const Numbers wx{0.5F, -1, 0.25F, 1}, wh{-0.5F, 1, 2, 0.5F}, bias{0.1F, 0.2F, 0.3F, 0.4F};
  for (const Stream& stream : each_path()) {
    Layer whole{.x = {{3, 4, 1}, {1, 2, 3, 4, 1, -2, 70, 80, 90, 90, 90, 90}},
                .wx = {{1, 4}, wx},
                .wh = {{1, 4}, wh},
                .bias = {{4}, bias},
                .h0 = {{3, 1}, {0.5F, -0.5F, 0.25F}},
                .c0 = {{3, 1}, {1, 2, -3}},
                .lengths = {4, 2, 0}};
    Layer part{.x = {{1, 2, 1}, {1, -2}},
               .wx = {{1, 4}, wx},
               .wh = {{1, 4}, wh},
               .bias = {{4}, bias},
               .h0 = {{1, 1}, {-0.5F}},
               .c0 = {{1, 1}, {2}}};
    whole.run(stream, 3);
    part.run(stream, 3);
    EXPECT_FLOAT_EQ(whole.h.values[4], part.h.values[0]);
    EXPECT_FLOAT_EQ(whole.h.values[5], part.h.values[1]);
    for (std::size_t i = 6; i < 12; ++i) EXPECT_EQ(whole.h.values[i], 0);
    EXPECT_FLOAT_EQ(whole.h_last.values[1], part.h_last.values[0]);
    EXPECT_FLOAT_EQ(whole.c_last.values[1], part.c_last.values[0]);
    EXPECT_FLOAT_EQ(whole.dx.values[4], part.dx.values[0]);
    EXPECT_FLOAT_EQ(whole.dx.values[5], part.dx.values[1]);
    for (std::size_t i = 6; i < 12; ++i) EXPECT_EQ(whole.dx.values[i], 0);
    EXPECT_FLOAT_EQ(whole.dh0.values[1], part.dh0.values[0]);
    EXPECT_FLOAT_EQ(whole.dc0.values[1], part.dc0.values[0]);
    EXPECT_EQ(whole.h_last.values[2], 0.25F);
    EXPECT_EQ(whole.c_last.values[2], -3);
    EXPECT_EQ(whole.dh0.values[2], 0);
    EXPECT_EQ(whole.dc0.values[2], 3);
  }
}

TEST(Lstm, AWrongOperandIsNamed) {
  Graph g;
  const Value x = g.input("x", {DType::f32, {2, 3, 5}});
  LstmWeights weights{g.parameter("wx", {4, 24}, Init::zeros()),
                      g.parameter("wh", {6, 24}, Init::zeros()),
                      g.parameter("bias", {24}, Init::zeros())};
  test::expect_error(
      ErrorCode::shape,
      "lstm: wx is f32 [4, 24], expected f32 [5, 24] to match the last axes of x and of wh",
      [&] { lstm(g, x, weights); });
  weights.wh = weights.wx;
  test::expect_error(ErrorCode::shape, "lstm: wh is f32 [4, 24], expected f32 [H, 4 H]",
                     [&] { lstm(g, x, weights); });
  test::expect_error(ErrorCode::argument, "lstm: h0 or c0 alone is given, expected both or neither",
                     [&] { lstm(g, x, weights, {.h = x, .c = {}}); });

  Layer layer{.x = {{1, 2, 1}, {1, -2}},
              .wx = {{1, 4}, {0, 0, 0, 0}},
              .wh = {{1, 4}, {0, 0, 0, 0}},
              .bias = {{4}, {0, 0, 0, 0}},
              .h0 = {{1, 1}, {0}},
              .c0 = {{1, 1}, {0}},
              .lengths = {3}};
  test::expect_error(ErrorCode::argument, "lstm: lengths[0] is 3, expected 0 to 2, the steps of x",
                     [&] { layer.run({}, 0); });
}

}  // namespace
}  // namespace framefold

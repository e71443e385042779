#include <gtest/gtest.h>

#include <cmath>
#include <memory>

#include "engine/executor.h"
#include "engine/optimizer.h"
#include "models/model.h"

namespace framefold {
namespace {

// A dot that walks along each row of the clip: something that can be learnt.
void draw(Tensor clip, std::uint64_t step) {
  std::uint8_t* pixels = clip.as<std::uint8_t>();
  std::fill_n(pixels, clip.size(), std::uint8_t{20});
  const Shape& shape = clip.shape;
  const Index frame = shape[2] * shape[3] * shape[4];
  for (Index b = 0; b < shape[0]; ++b) {
    const Random random{step, static_cast<std::uint64_t>(b)};
    const auto row = static_cast<Index>(random.below(0, static_cast<std::uint32_t>(shape[2])));
    for (Index t = 0; t < shape[1]; ++t)
      for (Index w = 0; w < shape[3]; ++w)
        for (Index c = 0; c < shape[4]; ++c)
          pixels[(b * shape[1] + t) * frame + (row * shape[3] + w) * shape[4] + c] = 220;
  }
}

struct Case {
  ModelOptions options;
  Index batch;
};

class Models : public testing::TestWithParam<Case> {};

// Adam on moving data: the loss must fall well below what the mean colour gives.
TEST_P(Models, Learn) {
  const auto& [options, batch] = GetParam();
  Graph graph;
  const Autoencoder model = build_model(graph, options, batch);
  EXPECT_EQ(graph.shape(model.reconstruction), graph.shape(model.clip));
  Parameters parameters(graph);
  parameters.initialize(1);
  const Stream stream{.device = {}, .threads = 2};
  Executor executor(
      std::make_shared<Plan>(compile(
          graph,
          {.loss = model.loss, .fetch = {model.reconstruction, model.code}, .stream = stream})),
      parameters);
  Optimizer optimizer(parameters, {}, stream);
  float first = 0;
  for (std::uint64_t step = 0; step < 120; ++step) {
    draw(executor.input("clip"), step);
    optimizer.clear_gradients();
    executor.run({1, step});
    if (step == 0) first = executor.loss();
    optimizer.update(5e-3, optimizer.gradient_norm());
  }
  EXPECT_LT(executor.loss(), 0.5F * first);
  for (const Parameters::Entry& entry : parameters.entries()) {
    double sum = 0;
    const Tensor gradient = parameters.gradient(entry.name);
    for (Index i = 0; i < gradient.size(); ++i)
      sum += std::abs(static_cast<double>(gradient.as<float>()[i]));
    EXPECT_GT(sum, 0) << entry.name << " gets no gradient";
  }
}

// The debug mode's poison and guards see every operation of every model.
TEST_P(Models, KeepWithinTheirMemory) {
  const auto& [options, batch] = GetParam();
  Graph graph;
  const Autoencoder model = build_model(graph, options, batch);
  float losses[2];
  for (const bool debug : {false, true}) {
    Parameters parameters(graph);
    parameters.initialize(1);
    const Stream stream{.device = {}, .threads = 2};
    Executor executor(std::make_shared<Plan>(compile(
                          graph, {.loss = model.loss, .stream = stream, .debug_memory = debug})),
                      parameters);
    draw(executor.input("clip"), 3);
    executor.run({1, 1});
    losses[debug ? 1 : 0] = executor.loss();
    for (const float value : parameters.gradients()) ASSERT_TRUE(std::isfinite(value));
  }
  EXPECT_EQ(losses[0], losses[1]);
}

// The encoder alone takes the autoencoder's weights and makes its code, as tokens.
TEST_P(Models, EncodeAlone) {
  const auto& [options, batch] = GetParam();
  Graph whole(Mode::evaluate);
  const Autoencoder model = build_model(whole, options, batch);
  Graph alone(Mode::evaluate);
  const Value tokens = encode(alone, options, alone.input("clip", whole.type(model.clip)));
  ASSERT_EQ(alone.shape(tokens).rank(), 3);
  EXPECT_EQ(alone.shape(tokens)[0], batch);
  Parameters parameters(whole);  // finds every one of the encoder's by its name
  parameters.initialize(1);
  const auto plan_of = [](const Graph& graph, Value value) {
    return std::make_shared<Plan>(compile(graph, {.fetch = {value}, .stream = {.threads = 2}}));
  };
  Executor autoencoder(plan_of(whole, model.code), parameters);
  Executor encoder(plan_of(alone, tokens), parameters);
  for (Executor* executor : {&autoencoder, &encoder}) {
    draw(executor->input("clip"), 3);
    executor->run({1, 1});
  }
  const View code = autoencoder.value(model.code), same = encoder.value(tokens);
  if (model.masked_clip) return;  // its code is of visible tokens alone
  ASSERT_EQ(code.size(), same.size());
  EXPECT_EQ(code.shape[-1], same.shape[-1]);
  for (Index i = 0; i < code.size(); ++i)
    ASSERT_EQ(code.as<float>()[i], same.as<float>()[i]) << "number " << i;
  for (const Graph::ValueInfo& info : alone.values())
    if (info.kind == Graph::Kind::parameter) {
      EXPECT_TRUE(info.name.starts_with("encoder."));
    }
}

INSTANTIATE_TEST_SUITE_P(
    All, Models,
    testing::Values(
        Case{{.name = "dense", .clip = {1, 8, 8, 1}, .widths = {16}, .loss = "bce"}, 8},
        Case{{.name = "dense", .clip = {2, 8, 8, 1}, .widths = {32, 16}, .loss = "mse"}, 8},
        Case{{.name = "conv2d", .clip = {1, 14, 14, 1}, .widths = {16, 8}, .loss = "bce"}, 8},
        Case{{.name = "conv2d", .clip = {2, 9, 7, 3}, .widths = {8}, .loss = "l1"}, 4},
        Case{{.name = "conv3d", .clip = {4, 8, 8, 3}, .widths = {16, 32}, .loss = "mse"}, 4},
        Case{{.name = "conv3d",
              .clip = {6, 8, 8, 1},
              .widths = {16, 16},
              .spatial_levels = 1,
              .loss = "bce"},
             2},
        Case{{.name = "residual3d",
              .clip = {4, 8, 8, 3},
              .widths = {16, 24},
              .spatial_levels = 1,
              .blocks = 2,
              .code = 4},
             2},
        Case{{.name = "videomae",
              .clip = {4, 8, 8, 3},
              .width = 32,
              .depth = 2,
              .heads = 2,
              .decoder_width = 16,
              .decoder_depth = 1,
              .decoder_heads = 2,
              .patch = 2,
              .mask_ratio = 0.5},
             4}),
    [](const testing::TestParamInfo<Case>& info) {
      return text(info.param.options.name, info.index);
    });

TEST(Model, WrongOptionsAreNamed) {
  const auto message = [](ModelOptions options) -> std::string {
    Graph graph;
    try {
      build_model(graph, options, 2);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_EQ(message({.name = "desne", .widths = {3}}),
            "model.name = \"desne\" is unknown; did you mean \"dense\"?");
  EXPECT_EQ(message({.name = "dense", .widths = {3}, .activation = "rely"}),
            "model.activation = \"rely\" is unknown; did you mean \"relu\"?");
  EXPECT_EQ(message({.name = "dense", .widths = {3}, .loss = "bcd"}),
            "model.loss = \"bcd\" is unknown; did you mean \"bce\"?");
  EXPECT_EQ(
      message(
          {.name = "conv3d", .clip = {10, 64, 64, 1}, .widths = {8, 8, 8}, .spatial_levels = 1}),
      "model conv3d: clips of 10 x 64 x 64 do not fit 3 levels, 1 of them spatial; choose "
      "frames divisible by 4, height and width by 8, or fewer widths");
  EXPECT_EQ(message({.name = "conv3d", .widths = {8}, .spatial_levels = 2}),
            "model.spatial_levels is 2; with 1 widths it is from 0 to 1");
  EXPECT_EQ(message({.name = "dense"}), "model.widths is empty; give at least one");
}

// 784-32-784 has 784 32 + 32 + 32 784 + 784 parameters.
TEST(Model, CountsItsParameters) {
  Graph graph;
  build_model(graph, {.name = "dense", .widths = {32}}, 4);
  EXPECT_EQ(Parameters(graph).count(), 784 * 32 + 32 + 32 * 784 + 784);
}

}  // namespace
}  // namespace framefold

// Blocks computed again for the backward pass: less memory, the same bits.
#include <gtest/gtest.h>

#include "engine/executor.h"
#include "engine/ops.h"
#include "models/model.h"

namespace framefold {
namespace {

struct Outcome {
  float loss;
  std::vector<float> gradients, code;
  Bytes arena;
  Index steps;
};

Outcome run(const Graph& graph, Value loss, Value fetched, bool recompute, bool debug) {
  Parameters parameters(graph);
  parameters.initialize(1);
  const auto plan = std::make_shared<Plan>(compile(graph, {.loss = loss,
                                                           .fetch = {fetched},
                                                           .stream = {.threads = 2},
                                                           .recompute = recompute,
                                                           .debug_memory = debug}));
  Executor executor(plan, parameters);
  const Tensor clip = executor.input("clip");
  for (Index i = 0; i < clip.size(); ++i)
    clip.as<std::uint8_t>()[i] =
        static_cast<std::uint8_t>(Random{5, 5}.word(static_cast<std::uint64_t>(i)));
  executor.run({.seed = 3, .step = 4});
  const View code = executor.value(fetched);
  return {executor.loss(),
          {parameters.gradients().begin(), parameters.gradients().end()},
          {code.as<float>(), code.as<float>() + code.size()},
          plan->arena_bytes(),
          static_cast<Index>(plan->steps().size())};
}

void expect_same(const Graph& graph, Value loss, Value fetched) {
  const Outcome kept = run(graph, loss, fetched, false, false);
  for (const bool debug : {false, true}) {
    const Outcome again = run(graph, loss, fetched, true, debug);
    EXPECT_EQ(again.loss, kept.loss);
    EXPECT_EQ(again.gradients, kept.gradients);
    EXPECT_EQ(again.code, kept.code);
    EXPECT_GT(again.steps, kept.steps);
    if (!debug) {
      EXPECT_LT(again.arena, 3 * kept.arena / 4);
    }
  }
}

// Stochastic depth draws the same samples both times.
TEST(Recompute, VideoMaeHasTheSameGradients) {
  Graph graph;
  const Autoencoder model = build_model(graph,
                                        {.name = "videomae",
                                         .clip = {4, 16, 16, 3},
                                         .width = 24,
                                         .depth = 6,
                                         .heads = 2,
                                         .decoder_width = 16,
                                         .decoder_depth = 4,
                                         .decoder_heads = 2,
                                         .patch = 4,
                                         .mask_ratio = 0.5,
                                         .drop_path = 0.4},
                                        3);
  expect_same(graph, model.loss, model.code);
}

TEST(Recompute, ResidualBlocksHaveTheSameGradients) {
  Graph graph;
  const Autoencoder model = build_model(
      graph, {.name = "residual3d", .clip = {4, 16, 16, 3}, .widths = {8, 8}, .blocks = 4}, 2);
  expect_same(graph, model.loss, model.code);
}

// What a caller reads stays, and blocks that count running statistics are computed once.
TEST(Recompute, KeepsWhatIsReadAndWhatChanges) {
  for (const bool statistics : {false, true}) {
    Graph graph;
    Value x = pixels(graph, graph.input("clip", {DType::u8, {2, 2, 4, 4, 3}}));
    const Value gamma = graph.parameter("gamma", {3}, Init::ones());
    const Value beta = graph.parameter("beta", {3}, Init::zeros());
    const Value mean = graph.buffer("mean", {3}, Init::zeros());
    const Value var = graph.buffer("var", {3}, Init::ones());
    Value inner;
    {
      const Graph::Block again(graph);
      x = statistics ? batch_norm(graph, x, gamma, beta, mean, var)
                     : group_norm(graph, x, gamma, beta, {.groups = 1});
      inner = activation(graph, x, Activation::silu);
      x = activation(graph, inner, Activation::silu);
    }
    const Value loss = reshape(graph, reduce(graph, x, Reduction::mean), {1});
    const Outcome kept = run(graph, loss, inner, false, true);
    const Outcome again = run(graph, loss, inner, true, true);
    EXPECT_EQ(again.gradients, kept.gradients);
    EXPECT_EQ(again.code, kept.code);
    EXPECT_EQ(again.steps, kept.steps + (statistics ? 0 : 1));
  }
}

}  // namespace
}  // namespace framefold

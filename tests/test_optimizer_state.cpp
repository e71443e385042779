#include <gtest/gtest.h>

#include <cmath>

#include "engine/optimizer.h"
#include "tests/temporary.h"

namespace framefold {
namespace {

// Three parameters, of which the second does not decay.
struct Model {
  Graph graph;
  Parameters parameters;

  Model() : parameters(fill(graph)) {
    for (const char* name : {"a", "b", "c"}) {
      set(parameters.value(name), 1);
      set(parameters.gradient(name), 2);
    }
  }
  static const Graph& fill(Graph& graph) {
    graph.parameter("a", {2}, Init::zeros());
    graph.parameter("b", {3}, Init::zeros(), /*decays=*/false);
    graph.parameter("c", {1}, Init::zeros());
    return graph;
  }
  static void set(Tensor tensor, float value) {
    std::fill_n(tensor.as<float>(), tensor.size(), value);
  }
  float at(const char* name) const { return parameters.value(name).as<float>()[0]; }
};

TEST(OptimizerState, NormIsTakenOverAllParameters) {
  Model model;
  const Optimizer optimizer(model.parameters, {}, {});
  EXPECT_DOUBLE_EQ(optimizer.gradient_norm(), std::sqrt(6 * 4.0));
  model.parameters.gradient("c").as<float>()[0] = NAN;
  EXPECT_TRUE(std::isnan(optimizer.gradient_norm()));
}

TEST(OptimizerState, GradientsAreCleared) {
  Model model;
  Optimizer optimizer(model.parameters, {}, {});
  optimizer.clear_gradients();
  EXPECT_EQ(optimizer.gradient_norm(), 0);
}

TEST(OptimizerState, WeightsDecayWhereTheyShould) {
  for (const auto kind : {OptimizerKind::sgd, OptimizerKind::adamw}) {
    Model model;
    Optimizer optimizer(model.parameters, {.kind = kind, .weight_decay = 0.5}, {});
    optimizer.clear_gradients();
    optimizer.update(0.1, 0);
    EXPECT_FLOAT_EQ(model.at("a"), 0.95F);
    EXPECT_EQ(model.at("b"), 1);
    EXPECT_FLOAT_EQ(model.at("c"), 0.95F);
  }
}

TEST(OptimizerState, ClippingScalesTheWholeGradient) {
  Model model;
  Optimizer optimizer(model.parameters, {.kind = OptimizerKind::sgd, .clip = std::sqrt(6.0)}, {});
  optimizer.update(0.25, optimizer.gradient_norm());  // twice the limit
  for (const char* name : {"a", "b", "c"}) EXPECT_FLOAT_EQ(model.at(name), 0.75F);
}

TEST(OptimizerState, AdamCountsItsUpdates) {
  Model model;
  Optimizer optimizer(model.parameters, {}, {});
  optimizer.update(0.25, 1);
  EXPECT_EQ(optimizer.updates(), 1);
  EXPECT_FLOAT_EQ(model.at("a"), 0.75F);  // the first step is the rate, whatever the gradient
}

TEST(OptimizerState, AverageStartsAtTheFirstWeightsAndSwaps) {
  Model model;
  Optimizer optimizer(model.parameters, {.kind = OptimizerKind::sgd, .average = 0.75}, {});
  optimizer.swap_average();  // nothing to swap yet
  EXPECT_EQ(model.at("a"), 1);
  optimizer.update(0.5, 1);
  EXPECT_EQ(model.at("a"), 0);
  optimizer.swap_average();
  EXPECT_EQ(model.at("a"), 0.75F);
  optimizer.swap_average();
  EXPECT_EQ(model.at("a"), 0);
}

TEST(OptimizerState, NamesOfWhatEachKindRemembers) {
  const auto names = [](const OptimizerOptions& options) {
    Model model;
    std::vector<std::string> found;
    for (const NamedTensor& state : Optimizer(model.parameters, options, {}).state())
      if (state.name.ends_with("/b")) {
        found.push_back(state.name);
        EXPECT_EQ(state.tensor.shape, Shape({3}));
      }
    return found;
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(names({.kind = OptimizerKind::sgd}), Names{});
  EXPECT_EQ(names({.kind = OptimizerKind::sgd, .momentum = 0.9}), Names{"optimizer.momentum/b"});
  EXPECT_EQ(names({.kind = OptimizerKind::rmsprop, .momentum = 0.9}),
            (Names{"optimizer.mean_square/b", "optimizer.momentum/b"}));
  EXPECT_EQ(names({.kind = OptimizerKind::adam, .average = 0.5}),
            (Names{"optimizer.first_moment/b", "optimizer.second_moment/b", "ema/b"}));
}

TEST(OptimizerState, MemoryIsKnownWithoutHoldingIt) {
  for (const auto kind :
       {OptimizerKind::sgd, OptimizerKind::rmsprop, OptimizerKind::adam, OptimizerKind::adamw})
    for (const double momentum : {0.0, 0.9})
      for (const double average : {0.0, 0.9}) {
        const OptimizerOptions options{.kind = kind, .momentum = momentum, .average = average};
        Model model;
        const Bytes before = tensor_memory();
        const Optimizer optimizer(model.parameters, options, {});
        EXPECT_EQ(Optimizer::bytes_of(model.graph, options), tensor_memory() - before);
        EXPECT_EQ(optimizer.bytes(), tensor_memory() - before);
      }
}

TEST(OptimizerState, RefusesOptionsOutOfRange) {
  EXPECT_ERROR(ErrorCode::config, "beta2 is 1", (OptimizerOptions{.beta2 = 1}.check()));
  EXPECT_ERROR(ErrorCode::config, "clip is -1", (OptimizerOptions{.clip = -1}.check()));
  EXPECT_ERROR(ErrorCode::config, "epsilon is 0", (OptimizerOptions{.epsilon = 0}.check()));
  EXPECT_ERROR(ErrorCode::config, "nesterov", (OptimizerOptions{.nesterov = true}.check()));
  EXPECT_ERROR(ErrorCode::config, "adamm is unknown", optimizer_kind("adamm"));
  EXPECT_EQ(optimizer_kind("rmsprop"), OptimizerKind::rmsprop);
  Model model;
  Parameters evaluated(model.graph, false);
  EXPECT_ERROR(ErrorCode::argument, "without gradients", Optimizer(evaluated, {}, {}));
}

}  // namespace
}  // namespace framefold

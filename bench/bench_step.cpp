// Whole training steps (forward, backward, Adam) of the two autoencoders that the comparison with
// PyTorch runs: the same layers, batch, optimiser, weights and clip; the checksum is the third
// step's loss. The pre-training of VideoMAE-S draws its weights and masks: it has none. And the
// features of a clip by VideoMAE-B, whose checksum is theirs.
#include <cmath>
#include <memory>

#include "bench/op_rows.h"
#include "engine/executor.h"
#include "engine/optimizer.h"
#include "models/classifier.h"
#include "models/model.h"

namespace framefold::bench {
namespace {

void steps(benchmark::State& state, const ModelOptions& options, Index batch, bool drawn = false) {
  const Stream stream{.device = {}, .threads = threads()};
  Graph graph;
  const Autoencoder model = build_model(graph, options, batch);
  const auto plan = std::make_shared<Plan>(compile(graph, {.loss = model.loss, .stream = stream}));
  Parameters parameters(graph);
  parameters.initialize(0);
  if (!drawn)
    for (const auto& entry : parameters.entries()) {
      const auto input = static_cast<int>(&entry - parameters.entries().data());
      const Tensor value = parameters.value(entry.name);
      for (Index i = 0; i < value.size(); ++i) value.as<float>()[i] = operand_value(i, input);
    }
  Executor executor(plan, parameters);
  Optimizer optimizer(parameters, {}, stream);
  const Tensor clip = executor.input("clip");
  for (Index i = 0; i < clip.size(); ++i)
    clip.as<std::uint8_t>()[i] = static_cast<std::uint8_t>(i % 251);
  std::uint64_t step = 0;
  const auto work = [&] {
    optimizer.clear_gradients();
    executor.run({0, step++});
    optimizer.update(1e-3, optimizer.gradient_norm());
  };
  for (int i = 0; i < 3; ++i) work();
  const double loss = executor.loss();
  double bytes = 0;
  for (const Step& one : plan->steps()) bytes += one.bytes;
  run(state, {.flops = plan->flops(), .bytes = bytes}, work);
  if (!drawn) state.counters["checksum"] = state.counters["checksum_scale"] = loss;
  state.counters["tensor_bytes"] =
      static_cast<double>(executor.arena_bytes() + parameters.bytes() + optimizer.bytes());
}

// Matrices keep the magnitude of what they multiply, scales are about one.
void fill_weights(Parameters& parameters) {
  int input = 0;
  for (const auto& entry : parameters.entries()) {
    const Tensor value = parameters.value(entry.name);
    const float offset = entry.name.ends_with(".gamma") ? 1 : 0;
    const float factor =
        value.shape.rank() == 2
            ? static_cast<float>(9 / std::sqrt(static_cast<double>(value.shape[0])))
            : 1;
    for (Index i = 0; i < value.size(); ++i)
      value.as<float>()[i] = offset + factor * operand_value(i, input);
    ++input;
  }
}

void features(benchmark::State& state, const ModelOptions& options, Index batch) {
  const Stream stream{.device = {}, .threads = threads()};
  const ClipShape& shape = options.clip;
  Graph graph(Mode::evaluate);
  const Value clip = graph.input(
      "clip", {DType::u8, {batch, shape.frames, shape.height, shape.width, shape.channels}});
  const Value made = mean_of_tokens(graph, encode(graph, options, clip));
  const auto plan = std::make_shared<Plan>(compile(graph, {.fetch = {made}, .stream = stream}));
  Parameters parameters(graph, false);
  fill_weights(parameters);
  Executor executor(plan, parameters);
  const Tensor input = executor.input("clip");
  for (Index i = 0; i < input.size(); ++i)
    input.as<std::uint8_t>()[i] = static_cast<std::uint8_t>(i % 251);
  executor.run({}, false);
  Checksum checksum;
  checksum.add(executor.value(made));
  double bytes = 0;
  for (const Step& one : plan->steps()) bytes += one.bytes;
  run(state, {.flops = plan->flops(), .bytes = bytes}, [&] { executor.run({}, false); });
  state.counters["checksum"] = checksum.sum;
  state.counters["checksum_scale"] = checksum.scale;
  state.counters["tensor_bytes"] = static_cast<double>(executor.arena_bytes() + parameters.bytes());
}

const bool added = [] {
  const ModelOptions dense{.name = "dense", .clip = {1, 28, 28, 1}, .widths = {32}, .loss = "bce"};
  const ModelOptions video{.name = "conv3d", .clip = {16, 64, 64, 3}, .widths = {32, 64, 128}};
  const ModelOptions videomae{.name = "videomae",
                              .clip = {16, 224, 224, 3},
                              .size = "s",
                              .target = "normalized",
                              .input = "imagenet"};
  const ModelOptions base{.name = "videomae",
                          .clip = {16, 224, 224, 3},
                          .size = "b",
                          .input = "imagenet",
                          .norm_epsilon = 1e-12};
  add("step/dense", [=](benchmark::State& state) { steps(state, dense, 256); });
  add("step/video", [=](benchmark::State& state) { steps(state, video, 4); });
  add("step/videomae_s", [=](benchmark::State& state) { steps(state, videomae, 2, true); });
  add("features/videomae_b", [=](benchmark::State& state) { features(state, base, 1); });
  return true;
}();

}  // namespace
}  // namespace framefold::bench

// Whole training steps (forward, backward, Adam) of the two autoencoders that the comparison with
// PyTorch runs: the same layers, batch, optimiser, weights and clip; the checksum is the third
// step's loss. The pre-training of VideoMAE-S draws its weights and masks: it has none.
#include <memory>

#include "bench/op_rows.h"
#include "engine/executor.h"
#include "engine/optimizer.h"
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

const bool added = [] {
  const ModelOptions dense{.name = "dense", .clip = {1, 28, 28, 1}, .widths = {32}, .loss = "bce"};
  const ModelOptions video{.name = "conv3d", .clip = {16, 64, 64, 3}, .widths = {32, 64, 128}};
  const ModelOptions videomae{.name = "videomae",
                              .clip = {16, 224, 224, 3},
                              .size = "s",
                              .target = "normalized",
                              .input = "imagenet"};
  add("step/dense", [=](benchmark::State& state) { steps(state, dense, 256); });
  add("step/video", [=](benchmark::State& state) { steps(state, video, 4); });
  add("step/videomae_s", [=](benchmark::State& state) { steps(state, videomae, 2, true); });
  return true;
}();

}  // namespace
}  // namespace framefold::bench

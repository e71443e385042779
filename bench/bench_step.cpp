// Whole training steps (forward, backward, Adam) of the autoencoders that the comparison with
// PyTorch runs: the same layers, batch and optimiser.
#include <benchmark/benchmark.h>

#include <memory>

#include "bench/bench.h"
#include "engine/executor.h"
#include "engine/optimizer.h"
#include "models/model.h"

namespace framefold::bench {
namespace {

void run_steps(benchmark::State& state, const ModelOptions& options, Index batch) {
  const Stream stream{.device = {}, .threads = threads()};
  Graph graph;
  const Autoencoder model = build_model(graph, options, batch);
  const auto plan = std::make_shared<Plan>(compile(graph, {.loss = model.loss, .stream = stream}));
  Parameters parameters(graph);
  parameters.initialize(0);
  Executor executor(plan, parameters);
  Optimizer optimizer(parameters, {}, stream);
  const Tensor clip = executor.input("clip");
  const Random random{1, 1};
  for (Index i = 0; i < clip.size(); ++i)
    clip.as<std::uint8_t>()[i] =
        static_cast<std::uint8_t>(random.below(static_cast<std::uint64_t>(i), 256));
  std::uint64_t step = 0;
  for (auto _ : state) {
    optimizer.clear_gradients();
    executor.run({0, step++});
    optimizer.update(1e-3, optimizer.gradient_norm());
  }
  state.counters["flop/s"] =
      benchmark::Counter(plan->flops(), benchmark::Counter::kIsIterationInvariantRate);
  state.counters["tensor_bytes"] =
      static_cast<double>(executor.arena_bytes() + parameters.bytes() + optimizer.bytes());
}

void dense(benchmark::State& state) {
  run_steps(state, {.name = "dense", .clip = {1, 28, 28, 1}, .widths = {32}, .loss = "bce"}, 256);
}

void video(benchmark::State& state) {
  run_steps(state, {.name = "conv3d", .clip = {16, 64, 64, 3}, .widths = {32, 64, 128}}, 4);
}

// The pre-training of VideoMAE-S: 1408 of 1568 tokens masked.
void videomae_s(benchmark::State& state) {
  run_steps(state,
            {.name = "videomae",
             .clip = {16, 224, 224, 3},
             .size = "s",
             .target = "normalized",
             .input = "imagenet"},
            2);
}

BENCHMARK(dense)->Name("step/dense")->UseRealTime();
BENCHMARK(video)->Name("step/video")->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(videomae_s)->Name("step/videomae_s")->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace framefold::bench

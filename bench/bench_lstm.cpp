// The LSTM over 20 steps of a batch of 16, as video models run it, with as many inputs as units, in
// operations to be held against the peak in the report's head.
#include "kernels/lstm.h"

#include <benchmark/benchmark.h>

#include <algorithm>

#include "bench/bench.h"
#include "engine/memory.h"

namespace framefold {
namespace {

constexpr Index batch = 16, steps = 20;

void measure(benchmark::State& state, Index hidden, bool backward) {
  const Stream stream{.device = {}, .threads = bench::threads()};
  const TensorType sequence{DType::f32, {batch, steps, hidden}};
  const TensorType quadruple{DType::f32, {batch, steps, 4 * hidden}};
  const TensorType last{DType::f32, {batch, hidden}};
  const TensorType weight{DType::f32, {hidden, 4 * hidden}};
  const TensorType vector{DType::f32, {4 * hidden}};
  const Bytes space = std::max({lstm_forward_workspace(stream, sequence, hidden),
                                lstm_dgates_workspace(stream, sequence, hidden),
                                lstm_dgrad_workspace(stream, sequence, hidden),
                                lstm_wgrad_workspace(stream, sequence, hidden)});
  // One arena, as a plan has it: in large pages.
  Bytes bytes = Buffer::padded(space);
  for (const TensorType& type :
       {sequence, sequence, sequence, sequence, sequence, quadruple, quadruple, last, last, weight,
        weight, weight, weight, vector, vector})
    bytes += Buffer::padded(type.bytes());
  const Buffer arena(bytes);
  std::byte* next = arena.data();
  const auto filled = [&](const TensorType& type, float scale) {
    const Tensor tensor{next, type.dtype, type.shape};
    for (Index i = 0; i < tensor.size(); ++i)
      tensor.as<float>()[i] = scale * (static_cast<float>(i * 31 % 97) * 0.02F - 1);
    next += Buffer::padded(type.bytes());
    return tensor;
  };
  const float small = 1 / static_cast<float>(hidden);
  const LstmInputs in{.x = filled(sequence, 1),
                      .wx = filled(weight, small),
                      .wh = filled(weight, small),
                      .bias = filled(vector, 1),
                      .peepholes = {},
                      .h0 = {},
                      .c0 = {},
                      .lengths = {}};
  const LstmOutputs out{.h = filled(sequence, 1),
                        .h_last = filled(last, 1),
                        .c_last = filled(last, 1),
                        .gates = filled(quadruple, 1),
                        .cells = filled(sequence, 1)};
  const LstmResults results{.h = out.h,
                            .gates = out.gates,
                            .cells = out.cells,
                            .dh = filled(sequence, 1),
                            .dh_last = {},
                            .dc_last = {}};
  const LstmGradients gradients{
      .wx = filled(weight, 0), .wh = filled(weight, 0), .bias = filled(vector, 0), .peepholes = {}};
  const Tensor dx = filled(sequence, 0);
  const Tensor dgates = filled(quadruple, 0);
  const Workspace workspace(next, space);
  for (auto _ : state) {
    lstm_forward(stream, out, workspace, in);
    if (backward) {
      lstm_dgates(stream, dgates, {}, {}, workspace, in, results);
      lstm_dgrad(stream, dx, workspace, dgates, in.wx);
      lstm_wgrad(stream, gradients, workspace, dgates, in, results);
    }
    benchmark::ClobberMemory();
  }
  const double flops = 8.0 * static_cast<double>(batch * steps * hidden) *
                       static_cast<double>(2 * hidden) * (backward ? 3 : 1);
  state.counters["flop"] = benchmark::Counter(flops, benchmark::Counter::kIsIterationInvariantRate);
}

const bool registered = [] {
  for (const Index hidden : {512, 2048})
    for (const bool backward : {false, true})
      benchmark::RegisterBenchmark(text("lstm/", hidden, backward ? "/both" : "/forward").c_str(),
                                   measure, hidden, backward)
          ->UseRealTime()
          ->Unit(benchmark::kMicrosecond);
  return true;
}();

}  // namespace
}  // namespace framefold

// Attention at the lengths of VideoMAE's encoder (160 visible tokens) and decoder (1568), in
// operations to be held against the peak in the report's head: 4 B H N^2 d forward, 10 backward.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <string>

#include "bench/bench.h"
#include "engine/memory.h"
#include "kernels/attention.h"

namespace framefold {
namespace {

struct Case {
  const char* name;
  Index batch, tokens, heads, depth;
  bool causal = false;
};

const Case cases[] = {
    {"8x160 6 heads", 8, 160, 6, 64},         {"8x160 12 heads", 8, 160, 12, 64},
    {"2x1568 6 heads", 2, 1568, 6, 64},       {"2x1568 12 heads", 2, 1568, 12, 64},
    {"2x1568 3 heads", 2, 1568, 3, 64},       {"8x160 6 heads of 32", 8, 160, 6, 32},
    {"4x197 16 heads of 80", 4, 197, 16, 80}, {"2x1568 6 heads causal", 2, 1568, 6, 64, true},
};

enum class Pass { forward, backward, both };

void measure(benchmark::State& state, const Case& one, Pass pass) {
  const Stream stream{.device = {}, .threads = bench::threads()};
  const Attention options{.heads = one.heads, .causal = one.causal};
  const TensorType qkv{DType::f32, {one.batch, one.tokens, 3 * one.heads * one.depth}};
  const TensorType out{DType::f32, {one.batch, one.tokens, one.heads * one.depth}};
  const TensorType sums{DType::f32, {one.batch, one.heads, one.tokens}};
  const Bytes space = std::max(attention_forward_workspace(stream, options, qkv),
                               attention_dgrad_workspace(stream, options, qkv));
  // One arena, as a plan has it: in large pages.
  Bytes bytes = Buffer::padded(space);
  for (const TensorType& type : {qkv, qkv, out, out, sums}) bytes += Buffer::padded(type.bytes());
  const Buffer arena(bytes);
  std::byte* next = arena.data();
  const auto filled = [&](const TensorType& type) {
    const Tensor tensor{next, type.dtype, type.shape};
    for (Index i = 0; i < tensor.size(); ++i)
      tensor.as<float>()[i] = static_cast<float>(i * 31 % 97) * 0.02F - 1;
    next += Buffer::padded(type.bytes());
    return tensor;
  };
  const Tensor x = filled(qkv), dx = filled(qkv), y = filled(out), dy = filled(out);
  const Tensor lse = filled(sums);
  const auto forward = [&] { attention_forward(stream, options, y, lse, {next, space}, x, {}); };
  forward();
  for (auto _ : state) {
    if (pass != Pass::backward) forward();
    if (pass != Pass::forward)
      attention_dgrad(stream, options, dx, {next, space}, dy, x, y, lse, {});
    benchmark::ClobberMemory();
  }
  const double products = pass == Pass::forward ? 4 : pass == Pass::backward ? 10 : 14;
  state.counters["flop"] =
      benchmark::Counter(products * static_cast<double>(out.shape.size()) *
                             static_cast<double>(one.tokens) * (one.causal ? 0.5 : 1),
                         benchmark::Counter::kIsIterationInvariantRate);
}

const bool registered = [] {
  for (const Case& one : cases)
    for (const auto& [pass, name] :
         {std::pair{Pass::forward, "forward"}, std::pair{Pass::backward, "backward"},
          std::pair{Pass::both, "both"}})
      benchmark::RegisterBenchmark((std::string("attention/") + one.name + '/' + name).c_str(),
                                   measure, one, pass)
          ->UseRealTime()
          ->Unit(benchmark::kMicrosecond);
  return true;
}();

}  // namespace
}  // namespace framefold

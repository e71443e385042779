#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <vector>

#include "bench/bench.h"
#include "kernels/matmul.h"

namespace framefold {
namespace {

struct Case {
  const char* name;
  Product product;
};

// "dense": the 784-32-784 autoencoder, batch 256; "tokens": a transformer's layers; "scores" and
// "mix": attention, 12 heads; "lstm": one step of a batch of 16.
const Case cases[] = {
    {"square 1024", {.m = 1024, .n = 1024, .k = 1024}},
    {"square 1024 B transposed", {.m = 1024, .n = 1024, .k = 1024, .transpose_b = true}},
    {"square 1024 A transposed",
     {.m = 1024, .n = 1024, .k = 1024, .transpose_a = true, .accumulate = true}},
    {"dense 784-32 forward",
     {.m = 256, .n = 32, .k = 784, .bias = true, .activation = Activation::relu}},
    {"dense 784-32 wgrad", {.m = 784, .n = 32, .k = 256, .transpose_a = true, .accumulate = true}},
    {"dense 32-784 forward",
     {.m = 256, .n = 784, .k = 32, .bias = true, .activation = Activation::sigmoid}},
    {"dense 32-784 dgrad", {.m = 256, .n = 32, .k = 784, .transpose_b = true}},
    {"dense 32-784 wgrad", {.m = 32, .n = 784, .k = 256, .transpose_a = true, .accumulate = true}},
    {"tokens 384-1536 forward", {.m = 1568, .n = 1536, .k = 384, .bias = true}},
    {"tokens 384-1536 dgrad", {.m = 1568, .n = 384, .k = 1536, .transpose_b = true}},
    {"tokens 384-1536 wgrad",
     {.m = 384, .n = 1536, .k = 1568, .transpose_a = true, .accumulate = true}},
    {"long wgrad 64-64", {.m = 64, .n = 64, .k = 65536, .transpose_a = true, .accumulate = true}},
    {"scores 3136", {.m = 3136, .n = 3136, .k = 64, .transpose_b = true}},
    {"scores 12x196", {.batch = 12, .m = 196, .n = 196, .k = 64, .transpose_b = true}},
    {"mix 12x196", {.batch = 12, .m = 196, .n = 64, .k = 196}},
    {"mix wgrad 12x196", {.batch = 12, .m = 196, .n = 64, .k = 196, .transpose_a = true}},
    {"lstm 512 forward", {.m = 16, .n = 2048, .k = 512, .bias = true}},
    {"lstm 512 dgrad", {.m = 16, .n = 512, .k = 2048, .transpose_b = true}},
    {"lstm 512 wgrad", {.m = 512, .n = 2048, .k = 320, .transpose_a = true, .accumulate = true}},
    {"lstm 2048 forward", {.m = 16, .n = 8192, .k = 2048, .bias = true}},
    {"lstm 2048 dgrad", {.m = 16, .n = 2048, .k = 8192, .transpose_b = true}},
};

void measure(benchmark::State& state, const Product& p, Path path) {
  const Stream stream{.device = {}, .threads = bench::threads(), .path = path};
  constexpr DType f32 = DType::f32;
  const auto filled = [](Index count) {
    std::vector<float> values(static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = static_cast<float>(i % 7) * 0.1F - 0.3F;
    return values;
  };
  auto a = filled(p.batch * p.m * p.k);
  auto b = filled(p.batch * p.k * p.n);
  auto c = filled(p.batch * p.m * p.n);
  auto bias = filled(p.n);
  const Bytes bytes = product_workspace(stream, p, f32, f32, f32);
  std::vector<std::byte> memory(bytes + Workspace::alignment);
  void* start = memory.data();
  std::size_t space = memory.size();
  std::align(Workspace::alignment, bytes, start, space);
  for (auto _ : state) {
    product(stream, p, {c.data(), f32, {p.batch, p.m, p.n}}, {start, bytes},
            {a.data(), f32, {p.batch, p.m, p.k}}, {b.data(), f32, {p.batch, p.k, p.n}},
            p.bias ? View{bias.data(), f32, {p.n}} : View{});
    benchmark::ClobberMemory();
  }
  const double flops = 2.0 * static_cast<double>(p.batch * p.m) * static_cast<double>(p.n * p.k);
  state.counters["flop"] = benchmark::Counter(flops, benchmark::Counter::kIsIterationInvariantRate);
}

const bool registered = [] {
  for (const Case& one : cases)
    for (const auto& [path, name] :
         {std::pair{Path::native, "native"}, std::pair{Path::vendor, "vendor"}})
      benchmark::RegisterBenchmark((std::string("matmul/") + one.name + '/' + name).c_str(),
                                   measure, one.product, path)
          ->UseRealTime()
          ->Unit(benchmark::kMicrosecond);
  return true;
}();

}  // namespace
}  // namespace framefold

// Pointwise operations, losses and updates, in bytes that must move at least: a share of the copy's
// bandwidth. 200704 = 256 x 784 is a batch of digits.
#include <benchmark/benchmark.h>

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "bench/bench.h"
#include "kernels/activation.h"
#include "kernels/add.h"
#include "kernels/dropout.h"
#include "kernels/gaussian_kl.h"
#include "kernels/multiply.h"
#include "kernels/noise.h"
#include "kernels/optimizer.h"
#include "kernels/pixels.h"
#include "kernels/pointwise_loss.h"

namespace framefold {
namespace {

struct Operands {
  Stream stream;
  Tensor a, b, c, d, pixels, one;
  Workspace workspace;
};

struct Case {
  std::string name;
  double bytes;  // for each element
  std::function<void(const Operands&)> run;
};

std::vector<Case> cases() {
  std::vector<Case> list;
  const std::pair<const char*, Activation> activations[] = {
      {"relu", Activation::relu},           {"sigmoid", Activation::sigmoid},
      {"tanh", Activation::tanh},           {"gelu_erf", Activation::gelu_erf},
      {"gelu_tanh", Activation::gelu_tanh}, {"silu", Activation::silu}};
  for (const auto& [name, f] : activations) {
    list.push_back({std::string(name) + "/forward", 8,
                    [f = f](const Operands& o) { activation_forward(o.stream, f, o.a, o.b); }});
    list.push_back({std::string(name) + "/dgrad", 12,
                    [f = f](const Operands& o) { activation_dgrad(o.stream, f, o.a, o.b, o.c); }});
  }
  const std::pair<const char*, PointwiseLoss::Kind> losses[] = {
      {"mse", PointwiseLoss::mse}, {"bce_with_logits", PointwiseLoss::bce_with_logits}};
  for (const auto& [name, kind] : losses) {
    const PointwiseLoss loss{.kind = kind};
    list.push_back({std::string(name) + "/forward", 8, [=](const Operands& o) {
                      pointwise_loss_forward(o.stream, loss, o.one, o.workspace, o.b, o.c);
                    }});
    list.push_back({std::string(name) + "/forward u8", 5, [=](const Operands& o) {
                      pointwise_loss_forward(o.stream, loss, o.one, o.workspace, o.b, o.pixels);
                    }});
    list.push_back({std::string(name) + "/dgrad", 12, [=](const Operands& o) {
                      pointwise_loss_dgrad(o.stream, loss, o.a, o.one, o.b, o.c);
                    }});
  }
  const auto plain = [&](const char* name, double bytes, auto run) {
    list.push_back({name, bytes, run});
  };
  plain("add", 12, [](const Operands& o) { add_forward(o.stream, o.a, o.b, o.c); });
  plain("multiply", 12, [](const Operands& o) { multiply(o.stream, o.a, o.b, o.c); });
  plain("pixels", 5, [](const Operands& o) { pixels_forward(o.stream, {}, o.a, o.pixels); });
  plain("dropout", 8, [](const Operands& o) { dropout(o.stream, 0.5F, 1, {1, 2}, o.a, o.b); });
  plain("noise", 8, [](const Operands& o) { noise_forward(o.stream, {}, {1, 2}, o.a, o.b); });
  plain("gaussian_kl/forward", 8, [](const Operands& o) {
    gaussian_kl_forward(o.stream, LossReduction::mean, o.one, o.workspace, o.b, o.c);
  });
  plain("sgd, momentum", 20, [](const Operands& o) {
    sgd_update(o.stream, {.rate = 1e-3, .momentum = 0.9}, o.a, o.b, o.c, 1);
  });
  plain("adam", 28, [](const Operands& o) { adam_update(o.stream, {}, o.a, o.b, o.d, o.c, 1, 9); });
  plain("norm", 4,
        [](const Operands& o) { benchmark::DoNotOptimize(norm_of(o.stream, o.workspace, o.a)); });
  return list;
}

void measure(benchmark::State& state, const Case& one, Index count) {
  const auto size = static_cast<std::size_t>(count);
  std::array<std::vector<float>, 4> reals;
  for (auto& values : reals) values.assign(size, 0.25F);
  std::vector<std::uint8_t> pixels(size, 100);
  std::vector<double> space(size / 1024 + 64);
  float scalar = 1;
  const auto tensor = [&](std::vector<float>& values) {
    return Tensor{values.data(), DType::f32, {count}};
  };
  const Operands operands{.stream = {.device = {}, .threads = bench::threads()},
                          .a = tensor(reals[0]),
                          .b = tensor(reals[1]),
                          .c = tensor(reals[2]),
                          .d = tensor(reals[3]),
                          .pixels = {pixels.data(), DType::u8, {count}},
                          .one = {&scalar, DType::f32, {1}},
                          .workspace = Workspace(space.data(), 8 * space.size())};
  for (auto _ : state) {
    one.run(operands);
    benchmark::ClobberMemory();
  }
  state.counters["bytes"] = benchmark::Counter(one.bytes * static_cast<double>(count),
                                               benchmark::Counter::kIsIterationInvariantRate,
                                               benchmark::Counter::kIs1000);
}

const bool registered = [] {
  for (const Case& one : cases())
    for (const Index count : {Index{200704}, Index{1} << 23})
      benchmark::RegisterBenchmark(("pointwise/" + one.name + '/' + std::to_string(count)).c_str(),
                                   measure, one, count)
          ->UseRealTime()
          ->Unit(benchmark::kMicrosecond);
  return true;
}();

}  // namespace
}  // namespace framefold

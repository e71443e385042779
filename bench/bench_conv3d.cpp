// The convolutions of the 3-D autoencoder and the shapes that its users try next, pass by pass;
// the rows of bench/rivals/torch_rows.py. No activation, no bias.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "bench/bench.h"
#include "engine/memory.h"
#include "kernels/conv_transpose3d.h"
#include "kernels/philox.h"

namespace framefold::bench {
namespace {

struct Layer {
  const char* name;
  bool transposed;
  Index from, to;
  Extents size;
  Index kernel, stride, batch;
};

constexpr Layer layers[] = {
    {"3-32_s2", false, 3, 32, {16, 64, 64}, 3, 2, 4},
    {"32-64_s2", false, 32, 64, {8, 32, 32}, 3, 2, 4},
    {"64-128_s2", false, 64, 128, {4, 16, 16}, 3, 2, 4},
    {"16-16", false, 16, 16, {8, 32, 32}, 3, 1, 4},
    {"64-64", false, 64, 64, {8, 32, 32}, 3, 1, 1},
    {"transposed_128-64_s2", true, 128, 64, {2, 8, 8}, 4, 2, 4},
    {"transposed_64-32_s2", true, 64, 32, {4, 16, 16}, 4, 2, 4},
    {"transposed_32-3_s2", true, 32, 3, {8, 32, 32}, 4, 2, 4},
};

Tensor draw(Workspace& memory, const TensorType& type) {
  const Tensor tensor = memory.take(type);
  for (Index i = 0; i < type.shape.size(); ++i)
    tensor.as<float>()[i] = Random{1, 1}.uniform(static_cast<std::uint64_t>(i)) - 0.5F;
  return tensor;
}

// `Attributes` is Conv3d or ConvTranspose3d; the passes are given as calls.
template <class Attributes, class Forward, class Dgrad, class Wgrad>
void run(benchmark::State& state, const Layer& layer, const std::string& pass,
         const Attributes& conv, const TensorType& y_type, const TensorType& weight_type,
         Forward forward, Dgrad dgrad, Wgrad wgrad) {
  const Shape x_shape{layer.batch, layer.size[0], layer.size[1], layer.size[2], layer.from};
  const Buffer buffer(Bytes{256} << 20);  // one piece of memory, as in training
  Workspace memory(buffer.data(), buffer.bytes());
  const Tensor x = draw(memory, {DType::f32, x_shape});
  const Tensor weight = draw(memory, weight_type);
  const Tensor y = draw(memory, y_type);
  for (auto _ : state) {
    if (pass == "forward")
      forward(conv, y, memory, x, weight);
    else if (pass == "dgrad")
      dgrad(conv, x, memory, y, weight);
    else
      wgrad(conv, weight, memory, y, x);
  }
  const Index pairs =
      layer.transposed ? x_shape.size() / layer.from : y_type.shape.size() / layer.to;
  state.counters["flop/s"] = benchmark::Counter(
      2.0 * static_cast<double>(pairs) * static_cast<double>(weight_type.shape.size()),
      benchmark::Counter::kIsIterationInvariantRate);
}

void pass_of(benchmark::State& state, const Layer& layer, const std::string& pass) {
  const Stream stream{.device = {}, .threads = threads()};
  const Index k = layer.kernel;
  const Extents stride{layer.stride, layer.stride, layer.stride};
  const TensorType x{DType::f32,
                     {layer.batch, layer.size[0], layer.size[1], layer.size[2], layer.from}};
  if (layer.transposed) {
    const ConvTranspose3d conv{.stride = stride, .padding = {1, 1, 1}};
    const TensorType weight{DType::f32, {k, k, k, layer.to, layer.from}};
    run(
        state, layer, pass, conv, conv_transpose3d_type(conv, x, weight), weight,
        [&](auto&&... a) { conv_transpose3d_forward(stream, a..., View{}); },
        [&](auto&&... a) { conv_transpose3d_dgrad(stream, a...); },
        [&](auto&&... a) { conv_transpose3d_wgrad(stream, a...); });
  } else {
    const Conv3d conv{.stride = stride, .padding = {1, 1, 1}};
    const TensorType weight{DType::f32, {k, k, k, layer.from, layer.to}};
    run(
        state, layer, pass, conv, conv3d_type(conv, x, weight), weight,
        [&](auto&&... a) { conv3d_forward(stream, a..., View{}); },
        [&](auto&&... a) { conv3d_dgrad(stream, a...); },
        [&](auto&&... a) { conv3d_wgrad(stream, a...); });
  }
}

const bool registered = [] {
  for (const Layer& layer : layers)
    for (const char* pass : {"forward", "dgrad", "wgrad"})
      benchmark::RegisterBenchmark(
          (std::string("conv3d/") + layer.name + "/" + pass).c_str(),
          [&layer, pass](benchmark::State& state) { pass_of(state, layer, pass); })
          ->UseRealTime()
          ->Unit(benchmark::kMicrosecond);
  return true;
}();

}  // namespace
}  // namespace framefold::bench

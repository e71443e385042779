// Operations that move more than they compute, through the interface that the engine calls: bytes
// that a pass must read and write, to be held against the copy's in the report's head.
#include <benchmark/benchmark.h>

#include <functional>
#include <string>
#include <vector>

#include "bench/bench.h"
#include "engine/ops.h"

namespace framefold {
namespace {

struct Case {
  const char* name;
  Types in;
  std::function<void(Graph&, const std::vector<Value>&)> build;
};

constexpr DType f32 = DType::f32;
const TensorType clip{f32, {4, 16, 32, 32, 64}};
const TensorType channels{f32, {64}};
const TensorType tokens{f32, {8, 1568, 384}};

const Case cases[] = {
    {"add_rows",
     {{f32, {8, 160, 384}},
      {f32, {1568, 384}},
      {DType::i32, {8, 160}},
      {DType::i32, {8, 1408}},
      {f32, {384}}},
     [](Graph& g, auto& v) { add_rows(g, v[0], v[1], v[2], v[3], v[4]); }},
    {"batch_norm",
     {clip, channels, channels, channels, channels},
     [](Graph& g, auto& v) { batch_norm(g, v[0], v[1], v[2], v[3], v[4]); }},
    {"concat", {clip, clip}, [](Graph& g, auto& v) { concat(g, v, -1); }},
    {"gather_rows",
     {tokens, {DType::i32, {8, 784}}},
     [](Graph& g, auto& v) { gather_rows(g, v[0], v[1]); }},
    {"group_norm",
     {clip, channels, channels},
     [](Graph& g, auto& v) { group_norm(g, v[0], v[1], v[2], {.groups = 8}); }},
    {"layer_norm",
     {tokens, {f32, {384}}, {f32, {384}}},
     [](Graph& g, auto& v) { layer_norm(g, v[0], v[1], v[2]); }},
    {"max_pool3d 2", {clip}, [](Graph& g, auto& v) { max_pool3d(g, v[0], {}); }},
    {"max_pool3d 3 stride 2",
     {clip},
     [](Graph& g, auto& v) {
       max_pool3d(g, v[0], {.kernel = {3, 3, 3}, .stride = {2, 2, 2}, .padding = {1, 1, 1}});
     }},
    {"mean_pool3d 2", {clip}, [](Graph& g, auto& v) { mean_pool3d(g, v[0], {}); }},
    {"permute heads",
     {{f32, {8, 1568, 3, 6, 64}}},
     [](Graph& g, auto& v) {
       permute(g, v[0], {2, 0, 3, 1, 4});
     }},
    {"permute patches",
     {{f32, {4, 8, 2, 14, 16, 14, 16, 3}}},
     [](Graph& g, auto& v) {
       permute(g, v[0], {0, 1, 3, 5, 2, 4, 6, 7});
     }},
    {"permute transpose",
     {{f32, {8, 1568, 384}}},
     [](Graph& g, auto& v) {
       permute(g, v[0], {0, 2, 1});
     }},
    {"reduce rows", {tokens}, [](Graph& g, auto& v) { reduce(g, v[0], Reduction::mean, {2}); }},
    {"reduce columns", {tokens}, [](Graph& g, auto& v) { reduce(g, v[0], Reduction::mean, {1}); }},
    {"scatter_rows",
     {{f32, {8, 160, 384}}, {DType::i32, {8, 160}}, {f32, {384}}},
     [](Graph& g, auto& v) { scatter_rows(g, v[0], v[1], 1568, v[2]); }},
    {"slice", {clip}, [](Graph& g, auto& v) { slice(g, v[0], -1, 16, 48); }},
    {"softmax", {{f32, {6, 1568, 1568}}}, [](Graph& g, auto& v) { softmax(g, v[0]); }},
    {"fold_tubelets",
     {{DType::u8, {8, 16, 224, 224, 3}}, {DType::i32, {8, 1408}}, {f32, {8, 1408, 1536}}},
     [](Graph& g, auto& v) { fold_tubelets(g, v[2], v[0], v[1]); }},
    {"gather_tubelets",
     {{DType::u8, {8, 16, 224, 224, 3}}, {DType::i32, {8, 160}}},
     [](Graph& g, auto& v) {
       gather_tubelets(g, v[0], v[1], {2, 16, 16});
     }},
    {"tube_mask", {{DType::i32, {8}}}, [](Graph& g, auto& v) { tube_mask(g, 8, {}, v[0]); }},
    {"tubelet_mse",
     {{f32, {8, 1408, 1536}}, {DType::u8, {8, 16, 224, 224, 3}}, {DType::i32, {8, 1408}}},
     [](Graph& g, auto& v) { tubelet_mse(g, v[0], v[1], v[2]); }},
    {"upsample3d nearest",
     {{f32, {4, 8, 16, 16, 64}}},
     [](Graph& g, auto& v) {
       upsample3d(g, v[0], {16, 32, 32}, Upsampling::nearest);
     }},
    {"upsample3d trilinear",
     {{f32, {4, 8, 16, 16, 64}}},
     [](Graph& g, auto& v) {
       upsample3d(g, v[0], {16, 32, 32}, Upsampling::trilinear);
     }},
};

class Memory {
 public:
  Tensor add(const TensorType& type) {
    blocks_.emplace_back(type.bytes() / sizeof(float) + 1);
    std::vector<float>& block = blocks_.back();
    for (std::size_t i = 0; i < block.size(); ++i) block[i] = static_cast<float>(i % 97) * 0.02F;
    const Tensor tensor{block.data(), type.dtype, type.shape};
    if (type.dtype == DType::i32)
      for (Index i = 0; i < tensor.size(); ++i)
        tensor.as<std::int32_t>()[i] = static_cast<std::int32_t>(i % type.shape[-1]);
    return tensor;
  }
  std::vector<Tensor> add_all(const Types& types) {
    std::vector<Tensor> tensors;
    for (const TensorType& type : types) tensors.push_back(add(type));
    return tensors;
  }

 private:
  std::vector<std::vector<float>> blocks_;
};

void measure(benchmark::State& state, const Case& value, bool backward) {
  Graph graph;
  std::vector<Value> handles;
  for (std::size_t i = 0; i < value.in.size(); ++i)
    handles.push_back(graph.input(text("in", i), value.in[i]));
  value.build(graph, handles);
  const Op& op = *graph.nodes()[0].op;
  Stream stream{.device = {}, .threads = bench::threads()};
  const Types types = op.infer(value.in);
  const Needs needs = op.needs(stream, value.in, types);

  Memory memory;
  const auto in = memory.add_all(value.in);
  const auto out = memory.add_all(types);
  const auto saved = memory.add_all(needs.saved);
  const auto dout = memory.add_all(types);
  auto din = memory.add_all(value.in);
  const Bytes space = std::max(needs.forward_workspace, needs.backward_workspace);
  const Tensor workspace = memory.add({DType::u8, {static_cast<Index>(space)}});
  double forward_bytes = 0, backward_bytes = 0;
  for (std::size_t i = 0; i < in.size(); ++i) {
    forward_bytes += static_cast<double>(in[i].bytes());
    if (needs.reads_inputs.has(static_cast<int>(i)))
      backward_bytes += static_cast<double>(in[i].bytes());
    if (needs.differentiable.has(static_cast<int>(i)))
      backward_bytes += static_cast<double>(in[i].bytes());
    else
      din[i].data = nullptr;
  }
  for (const Tensor& tensor : saved) {
    forward_bytes += static_cast<double>(tensor.bytes());
    backward_bytes += static_cast<double>(tensor.bytes());
  }
  for (std::size_t o = 0; o < out.size(); ++o) {
    forward_bytes += static_cast<double>(out[o].bytes());
    backward_bytes += static_cast<double>(out[o].bytes()) *
                      (needs.reads_outputs.has(static_cast<int>(o)) ? 2 : 1);
  }
  const auto pass = [&](bool back) {
    Run run{stream, in, out, saved, dout, din, Workspace(workspace.data, space), {}};
    back ? op.backward(run) : op.forward(run);
    benchmark::ClobberMemory();
  };
  pass(false);
  for (auto _ : state) pass(backward);
  state.SetBytesProcessed(static_cast<std::int64_t>(static_cast<double>(state.iterations()) *
                                                    (backward ? backward_bytes : forward_bytes)));
}

const bool registered = [] {
  for (const Case& one : cases)
    for (const bool backward : {false, true})
      benchmark::RegisterBenchmark(
          (std::string(one.name) + (backward ? "/backward" : "/forward")).c_str(), measure, one,
          backward)
          ->UseRealTime()
          ->Unit(benchmark::kMicrosecond);
  return true;
}();

}  // namespace
}  // namespace framefold

#include "bench/op_rows.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <memory>
#include <utility>

#include "engine/memory.h"
#include "kernels/vendor.h"
#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#else
#define CALLGRIND_ZERO_STATS
#define CALLGRIND_DUMP_STATS_AT(name)
#endif

namespace framefold::bench {
namespace {

struct Known {
  std::string name;
  OpRow row;
  std::vector<Pass> passes;
};
std::vector<Known>& known_rows() {
  static std::vector<Known> rows;
  return rows;
}

constexpr double plain_loops_flops = 4e9;  // what the plain loops do in some seconds

// An operation with memory of its own: on a GPU, a copy of what is filled on the host.
class Prepared {
 public:
  Prepared(const OpRow& row, Pass pass, Path path, int threads, Gpu* gpu = nullptr)
      : op_(row.op),
        stream_{.device = gpu ? Device::cuda(0) : Device::cpu(), .threads = threads, .path = path},
        gpu_(gpu) {
    const Types out = op_->infer(row.in);
    const Needs needs = op_->needs(stream_, row.in, out);
    workspace_ = std::max(needs.forward_workspace, needs.backward_workspace);
    const bool gradients = pass != Pass::forward;
    Bytes bytes = Buffer::padded(workspace_);
    for (const int times : {1, gradients ? 2 : 1})
      for (const Types* types : {&row.in, &out, times == 1 ? &needs.saved : &row.in})
        for (const TensorType& type : *types) bytes += 2 * Buffer::padded(type.bytes());
    arena_ = Buffer(bytes);
    next_ = arena_.data();

    for (const TensorType& type : row.in) in_.push_back(filled(type, static_cast<int>(in_.size())));
    for (const TensorType& type : out) out_.push_back(take(type));
    for (const TensorType& type : needs.saved) saved_.push_back(take(type));
    din_.resize(in_.size());
    if (gradients) take_gradients(row, pass, out, needs);
    if (!gpu_) return;
    on_gpu_ = static_cast<std::byte*>(gpu_->allocate(arena_.bytes()));
    gpu_->upload(on_gpu_, arena_.data(), arena_.bytes());
    for (auto* tensors : {&in_, &out_, &saved_, &dout_, &din_})
      for (Tensor& tensor : *tensors)
        if (tensor) tensor.data = on_gpu_ + (static_cast<std::byte*>(tensor.data) - arena_.data());
    next_ = on_gpu_ + (next_ - arena_.data());
  }
  Prepared(const Prepared&) = delete;
  Prepared& operator=(const Prepared&) = delete;
  ~Prepared() {
    if (gpu_) gpu_->release(on_gpu_);
  }

  void run(Pass pass) {
    const auto once = [&](bool back) {
      Run run{stream_, in_, out_, saved_, dout_, din_, Workspace(next_, workspace_), {1, 1}};
      back ? op_->backward(run) : op_->forward(run);
    };
    if (pass == Pass::forward || pass == Pass::both) once(false);
    if (pass != Pass::forward) once(true);
  }

  void clear_gradients() {
    const std::vector<std::byte> zeros(gpu_ ? arena_.bytes() : 0);
    for (const Tensor& tensor : din_) {
      if (!tensor) continue;
      if (gpu_)
        gpu_->upload(tensor.data, zeros.data(), tensor.bytes());
      else
        std::fill_n(static_cast<std::byte*>(tensor.data), tensor.bytes(), std::byte{0});
    }
  }

  std::vector<Tensor> results(Pass pass) const {
    std::vector<Tensor> all;
    if (pass == Pass::forward || pass == Pass::both) all = out_;
    for (const Tensor& tensor : din_)
      if (tensor) all.push_back(tensor);
    if (gpu_) {  // where the host can read them
      gpu_->download(arena_.data(), on_gpu_, arena_.bytes());
      for (Tensor& tensor : all)
        tensor.data = arena_.data() + (static_cast<std::byte*>(tensor.data) - on_gpu_);
    }
    return all;
  }

 private:
  Tensor take(const TensorType& type) {
    const Tensor tensor{next_, type.dtype, type.shape};
    next_ += Buffer::padded(type.bytes());
    return tensor;
  }
  Tensor filled(const TensorType& type, int input) {
    const Tensor tensor = take(type);
    for (Index i = 0; i < tensor.size(); ++i) switch (type.dtype) {
        case DType::f32: tensor.as<float>()[i] = operand_value(i, input); break;
        case DType::bf16: tensor.as<bf16>()[i] = bf16(operand_value(i, input)); break;
        case DType::u8: tensor.as<std::uint8_t>()[i] = static_cast<std::uint8_t>(i % 251); break;
        case DType::i32:
          tensor.as<std::int32_t>()[i] = static_cast<std::int32_t>(i % type.shape[-1]);
          break;
        default: fail(ErrorCode::shape, "a benchmark has no operands of ", type);
      }
    return tensor;
  }

  void take_gradients(const OpRow& row, Pass pass, const Types& out, const Needs& needs) {
    for (const TensorType& type : out) dout_.push_back(filled(type, 15));
    for (std::size_t i = 0; i < in_.size(); ++i) {
      const auto number = static_cast<int>(i);
      const bool parameter = needs.accumulates.has(number);
      if (needs.differentiable.has(number) && !(pass == Pass::dgrad && parameter) &&
          !(pass == Pass::wgrad && !parameter))
        din_[i] = take(row.in[i]);
    }
  }

  OpPtr op_;
  Stream stream_;
  Gpu* gpu_;
  std::byte* on_gpu_ = nullptr;
  Bytes workspace_ = 0;
  Buffer arena_;
  std::byte* next_ = nullptr;
  std::vector<Tensor> in_, out_, saved_, dout_, din_;
};

// The same row with a batch of one, where its activations share their first axis.
OpRow batch_of_one(OpRow row) {
  const Needs needs = row.op->needs({}, row.in, row.op->infer(row.in));
  Index batch = 0;
  for (std::size_t i = 0; i < row.in.size(); ++i) {
    if (needs.accumulates.has(static_cast<int>(i))) continue;
    if (batch == 0) batch = row.in[i].shape[0];
    if (row.in[i].shape[0] != batch) return row;
    row.in[i].shape[0] = 1;
  }
  return row;
}

// Empty, or what differs from the plain loops' results.
std::string fault_of(const OpRow& given, Pass pass, Path path) {
  OpRow row = given;
  if (row.op->forward_flops(row.in, row.op->infer(row.in)) > plain_loops_flops)
    row = batch_of_one(row);
  Prepared own(row, pass, path, threads(), options().gpu),
      plain(row, pass, Path::reference, threads());
  for (Prepared* one : {&own, &plain}) {
    if (pass != Pass::forward && pass != Pass::both) one->run(Pass::forward);
    one->run(pass);
  }
  const auto results = own.results(pass), expected = plain.results(pass);
  for (std::size_t r = 0; r < results.size(); ++r) {
    const DType type = results[r].dtype;
    if (type != DType::f32 && type != DType::bf16) continue;
    double worst = 0, largest = 0;
    for_float(type, [&]<class T>(T) {
      for (Index i = 0; i < results[r].size(); ++i) {
        const auto value = static_cast<double>(expected[r].as<T>()[i]);
        worst = std::max(worst, std::abs(static_cast<double>(results[r].as<T>()[i]) - value));
        largest = std::max(largest, std::abs(value));
      }
    });
    // Two roundings to bf16 of the largest, of sums that differ in their order.
    if (!(worst <= (type == DType::f32 ? 1e-3 : 0x1p-7) * largest))
      return text("result ", r, " is off by ", worst, " of ", largest,
                  " from what the plain loops compute");
  }
  return {};
}

// Empty, or why a row of the vendor's path would be ours.
std::string absence_of(const OpRow& row, Path path) {
  const Stream stream{.device = Device::cuda(0), .threads = threads(), .path = path};
  if (!options().gpu || path != Path::vendor || row.op->vendor_attributes(stream, row.in))
    return {};
  std::string found;
  for (const auto& [library, version] : vendor_libraries(stream))
    found += text(found.empty() ? "" : ", ", library, ' ', version);
  return text("no vendor's library computes this here; found: ", found);
}

void measure(benchmark::State& state, const OpRow& row, Pass pass, Path path) {
  if (const std::string absent = absence_of(row, path); !absent.empty())
    return state.SkipWithError(absent.c_str());
  if (const std::string fault = fault_of(row, pass, path); !fault.empty())
    return state.SkipWithError(fault.c_str());
  Prepared own(row, pass, path, threads(), options().gpu);
  own.run(Pass::forward);  // backward reads what forward saved
  own.clear_gradients();
  own.run(pass);
  Checksum checksum;
  for (const Tensor& tensor : own.results(pass))
    if (tensor.dtype == DType::f32) checksum.add(tensor);
  run_launches(state, cost_of(row, pass, threads()), [&] { own.run(pass); });
  state.counters["checksum"] = checksum.sum;
  state.counters["checksum_scale"] = checksum.scale;
}

}  // namespace

std::string_view name_of(Pass pass) {
  constexpr std::string_view names[] = {"forward", "backward", "both", "dgrad", "wgrad"};
  return names[static_cast<std::size_t>(pass)];
}

float operand_value(Index i, int input) {
  auto hash =
      static_cast<std::uint32_t>(i) * 2654435761U + static_cast<std::uint32_t>(input + 1) * 7919U;
  hash = (hash ^ hash >> 15U) * 2246822519U;
  return static_cast<float>(static_cast<int>((hash ^ hash >> 13U) % 97) - 48) / 256;
}

void Checksum::add(View tensor) {
  for (Index i = 0; i < tensor.size(); ++i) {
    const auto weight = static_cast<double>(operand_value(i, 31 + tensors_));
    const double term = weight * static_cast<double>(tensor.as<float>()[i]);
    sum += term;
    scale += std::abs(term);
  }
  ++tensors_;
}

OpRow op_row(const Types& in, const std::function<void(Graph&, const std::vector<Value>&)>& build) {
  Graph graph;
  std::vector<Value> values;
  for (const TensorType& type : in) values.push_back(graph.input(text("in", values.size()), type));
  build(graph, values);
  const Graph::Node& node = graph.nodes().front();
  OpRow row{.op = node.op, .in = {}};
  for (const Value value : node.in) row.in.push_back(graph.type(value));
  return row;
}

OpRow in_bf16(OpRow row) {
  const Needs needs = row.op->needs({}, row.in, row.op->infer(row.in));
  for (std::size_t i = 0; i < row.in.size(); ++i) {
    const auto number = static_cast<int>(i);
    const bool master = needs.accumulates.has(number) || needs.updates.has(number);
    if (row.in[i].dtype == DType::f32 && !master) row.in[i].dtype = DType::bf16;
  }
  return row;
}

Cost cost_of(const OpRow& row, Pass pass, int threads) {
  const Types out = row.op->infer(row.in);
  const Needs needs = row.op->needs({.device = {}, .threads = threads}, row.in, out);
  const auto bytes_of = [](const TensorType& type) { return static_cast<double>(type.bytes()); };
  Cost forward{.flops = row.op->forward_flops(row.in, out)};
  Cost backward{.flops = row.op->backward_flops(row.in, out)};
  double activations = 0, parameters = 0;  // gradients written
  for (std::size_t i = 0; i < row.in.size(); ++i) {
    const auto number = static_cast<int>(i);
    forward.bytes += bytes_of(row.in[i]);
    if (needs.reads_inputs.has(number)) backward.bytes += bytes_of(row.in[i]);
    if (needs.differentiable.has(number))
      (needs.accumulates.has(number) ? parameters : activations) += bytes_of(row.in[i]);
  }
  for (const TensorType& type : needs.saved) {
    forward.bytes += bytes_of(type);
    backward.bytes += bytes_of(type);
  }
  for (std::size_t o = 0; o < out.size(); ++o) {
    forward.bytes += bytes_of(out[o]);
    backward.bytes += bytes_of(out[o]) * (needs.reads_outputs.has(static_cast<int>(o)) ? 2 : 1);
  }
  switch (pass) {
    case Pass::forward: return forward;
    case Pass::dgrad: return {backward.flops / 2, backward.bytes + activations};
    case Pass::wgrad: return {backward.flops / 2, backward.bytes + parameters};
    default: backward.bytes += activations + parameters;
  }
  if (pass == Pass::backward) return backward;
  return {forward.flops + backward.flops, forward.bytes + backward.bytes};
}

void add_op(const std::string& name, const OpRow& row, const std::vector<Pass>& passes, Path path) {
  if (path == Path::automatic) known_rows().push_back({name, row, passes});
  for (const Pass pass : passes)
    add(text(name, '/', name_of(pass)),
        [=](benchmark::State& state) { measure(state, row, pass, path); });
}

void add_bf16_rows() {
  const std::vector<Known> so_far = known_rows();
  for (const Known& known : so_far) {
    const OpRow row = in_bf16(known.row);
    if (row.in == known.row.in) continue;
    try {
      (void)row.op->infer(row.in);
    } catch (const Error&) {
      continue;  // an operation of f32 alone
    }
    add_op("bf16 " + known.name, row, known.passes);
  }
}

void add_vendor_rows() {
  constexpr std::string_view names[] = {"attention", "conv3d", "conv_transpose3d", "lstm",
                                        "matmul"};
  const std::vector<std::string> known_names = row_names();
  for (const Known& known : known_rows()) {
    const std::string name = "vendor/" + known.name;
    if (std::ranges::find(names, known.row.op->name()) == std::end(names)) continue;
    const std::string first = text(name, '/', name_of(known.passes.front()));
    if (std::ranges::find(known_names, first) == known_names.end())
      add_op(name, known.row, known.passes, Path::vendor);
  }
}

void add_chain(const std::string& name, const std::vector<OpRow>& rows) {
  add(text(name, "/forward"), [=](benchmark::State& state) {
    if (!options().gpu) return state.SkipWithError("for --device cuda");
    std::vector<std::unique_ptr<Prepared>> prepared;
    Cost all;
    for (const OpRow& row : rows) {
      if (const std::string fault = fault_of(row, Pass::forward, Path::automatic); !fault.empty())
        return state.SkipWithError(fault.c_str());
      prepared.push_back(std::make_unique<Prepared>(row, Pass::forward, Path::automatic, threads(),
                                                    options().gpu));
      const Cost cost = cost_of(row, Pass::forward, threads());
      all.flops += cost.flops;
      all.bytes += cost.bytes;
    }
    run_launches(state, all, [&] {
      for (const auto& each : prepared) each->run(Pass::forward);
    });
  });
}

void count_op(const std::string& name, const OpRow& row, Pass pass) {
  static std::deque<std::string> names;  // callgrind reads them when it writes
  names.push_back(text(name, '/', name_of(pass)));
  Prepared own(row, pass, Path::automatic, 1);
  own.run(Pass::forward);
  CALLGRIND_ZERO_STATS;
  own.run(pass);
  CALLGRIND_DUMP_STATS_AT(names.back().c_str());
}

}  // namespace framefold::bench

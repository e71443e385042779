#include "engine/parameters.h"

#include <cmath>

namespace framefold {
namespace {

constexpr Index step = 16;  // 64 bytes

std::uint64_t hash_of(const std::string& name) {  // FNV-1a
  std::uint64_t hash = 14695981039346656037U;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
  return hash;
}

void draw(float* values, Index count, const Init& init, Random random) {
  for (Index i = 0; i < count; ++i) {
    const auto n = static_cast<std::uint64_t>(i);
    double value = init.a;
    switch (init.kind) {
      case Init::Kind::constant: break;
      case Init::Kind::uniform:
        value += (init.b - init.a) * static_cast<double>(random.uniform(n));
        break;
      case Init::Kind::normal: value += init.b * static_cast<double>(random.normal(n)); break;
      case Init::Kind::truncated_normal: {
        // Redraws from streams of its own, so that element n depends on nothing but n.
        float normal = random.normal(n);
        for (std::uint64_t again = 1; std::abs(normal) > 2; ++again)
          normal = Random{random.seed, stream_of(random.stream, n, again)}.normal(0);
        value += init.b * static_cast<double>(normal);
        break;
      }
    }
    values[i] = static_cast<float>(value);
  }
}

}  // namespace

void Parameters::Table::add(const Graph::ValueInfo& info) {
  if (const Entry* known = find(info.name)) {
    if (!(known->shape == info.type.shape))
      fail(ErrorCode::shape, "parameter ", info.name, " is ", known->shape, " in one graph and ",
           info.type.shape, " in another");
    return;
  }
  index[info.name] = entries.size();
  entries.push_back({info.name, info.type.shape, size, info.init, info.decays});
  size += (info.type.shape.size() + step - 1) / step * step;
}

const Parameters::Entry* Parameters::Table::find(const std::string& name) const {
  const auto found = index.find(name);
  return found == index.end() ? nullptr : &entries[found->second];
}

void Parameters::collect(const Graph& graph, Table& parameters, Table& buffers) {
  for (const Graph::ValueInfo& info : graph.values()) {
    if (info.kind == Graph::Kind::parameter) parameters.add(info);
    if (info.kind == Graph::Kind::buffer) buffers.add(info);
  }
}

Parameters::Parameters(std::initializer_list<const Graph*> graphs, bool gradients) {
  for (const Graph* graph : graphs) collect(*graph, parameters_, buffers_);
  const auto bytes = [](const Table& table) {
    return static_cast<Bytes>(table.size) * sizeof(float);
  };
  values_ = Buffer(bytes(parameters_));
  if (gradients) gradients_ = Buffer(bytes(parameters_));
  buffer_values_ = Buffer(bytes(buffers_));
}

void Parameters::initialize(std::uint64_t seed) {
  const auto fill = [seed](const Table& table, std::span<float> values) {
    for (const Entry& entry : table.entries)
      draw(values.data() + entry.offset, entry.shape.size(), entry.init,
           Random{seed, stream_of(hash_of(entry.name))});
  };
  fill(parameters_, values());
  fill(buffers_, buffers());
}

Index Parameters::count() const {
  Index total = 0;
  for (const Entry& entry : parameters_.entries) total += entry.shape.size();
  return total;
}

Tensor Parameters::value(const std::string& name) const {
  if (const Entry* entry = parameters_.find(name))
    return {values().data() + entry->offset, DType::f32, entry->shape};
  if (const Entry* entry = buffers_.find(name))
    return {buffers().data() + entry->offset, DType::f32, entry->shape};
  fail(ErrorCode::argument, "no parameter or buffer is called ", name);
}

Tensor Parameters::gradient(const std::string& name) const {
  const Entry* entry = parameters_.find(name);
  if (entry == nullptr) fail(ErrorCode::argument, "no parameter is called ", name);
  if (gradients().empty())
    fail(ErrorCode::argument, "these parameters were made for evaluation, without gradients");
  return {gradients().data() + entry->offset, DType::f32, entry->shape};
}

Bytes Parameters::bytes_of(const Graph& graph, bool gradients) {
  Table parameters;
  Table buffers;
  collect(graph, parameters, buffers);
  const auto bytes = [](const Table& table) {
    return Buffer::padded(static_cast<Bytes>(table.size) * sizeof(float));
  };
  return bytes(parameters) * (gradients ? 2 : 1) + bytes(buffers);
}

}  // namespace framefold

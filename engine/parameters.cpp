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

void fill_sin_cos(float* values, Index count, Index width) {
  for (Index j = 0; j < width; ++j) {
    const Index even = j - j % 2;
    const double divisor =
        std::pow(10000.0, static_cast<double>(even) / static_cast<double>(width));
    for (Index p = 0; p < count / width; ++p) {
      const double angle = static_cast<double>(p) / divisor;
      values[p * width + j] = static_cast<float>(j % 2 == 0 ? std::sin(angle) : std::cos(angle));
    }
  }
}

void draw(float* values, Index count, const Init& init, Random random) {
  if (init.kind == Init::Kind::sin_cos)
    return fill_sin_cos(values, count, static_cast<Index>(init.b));
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
        for (std::uint64_t again = 1; std::abs(normal) > init.cut; ++again)
          normal = Random{random.seed, stream_of(random.stream, n, again)}.normal(0);
        value += init.b * static_cast<double>(normal);
        break;
      }
      case Init::Kind::sin_cos: break;
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

Bytes Parameters::Table::bytes() const { return static_cast<Bytes>(size) * sizeof(float); }

void Parameters::Table::fill(std::span<float> values, std::uint64_t seed) const {
  for (const Entry& entry : entries)
    draw(values.data() + entry.offset, entry.shape.size(), entry.init,
         Random{seed, stream_of(hash_of(entry.name))});
}

const Parameters::Entry* Parameters::Table::find(const std::string& name) const {
  const auto found = index.find(name);
  return found == index.end() ? nullptr : &entries[found->second];
}

void Parameters::Tables::add(const Graph& graph) {
  for (const Graph::ValueInfo& info : graph.values()) {
    if (info.kind == Graph::Kind::parameter) parameters.add(info);
    if (info.kind == Graph::Kind::buffer) buffers.add(info);
    if (info.kind == Graph::Kind::constant) constants.add(info);
  }
}

Parameters::Parameters(std::initializer_list<const Graph*> graphs, bool gradients,
                       const Device& device)
    : device_(device) {
  for (const Graph* graph : graphs) tables_.add(*graph);
  values_ = Mirrored(tables_.parameters.bytes(), device);
  if (gradients) gradients_ = Buffer(tables_.parameters.bytes(), device);
  buffer_values_ = Mirrored(tables_.buffers.bytes(), device);
  constant_values_ = Mirrored(tables_.constants.bytes(), device);
  tables_.constants.fill(constant_values_.host(), 0);
  constant_values_.upload();
}

void Parameters::upload() const {
  values_.upload();
  buffer_values_.upload();
}

void Parameters::download() const {
  values_.download();
  buffer_values_.download();
}

void Parameters::initialize(std::uint64_t seed) {
  tables_.parameters.fill(values(), seed);
  tables_.buffers.fill(buffers(), seed);
  upload();
}

Index Parameters::count() const {
  Index total = 0;
  for (const Entry& entry : tables_.parameters.entries) total += entry.shape.size();
  return total;
}

Tensor Parameters::value(const std::string& name) const { return find(name, &Mirrored::host); }

Tensor Parameters::live(const std::string& name) const { return find(name, &Mirrored::live); }

Tensor Parameters::find(const std::string& name, std::span<float> (Mirrored::*side)() const) const {
  const auto in = [&](const Table& table, const Mirrored& stored) -> Tensor {
    const Entry* entry = table.find(name);
    if (entry == nullptr) return {};
    return {(stored.*side)().data() + entry->offset, DType::f32, entry->shape};
  };
  if (const Tensor found = in(tables_.parameters, values_)) return found;
  if (const Tensor found = in(tables_.buffers, buffer_values_)) return found;
  if (const Tensor found = in(tables_.constants, constant_values_)) return found;
  fail(ErrorCode::argument, "no parameter or buffer is called ", name);
}

Tensor Parameters::gradient(const std::string& name) const {
  const Entry* entry = tables_.parameters.find(name);
  if (entry == nullptr) fail(ErrorCode::argument, "no parameter is called ", name);
  if (gradients().empty())
    fail(ErrorCode::argument, "these parameters were made for evaluation, without gradients");
  return {gradients().data() + entry->offset, DType::f32, entry->shape};
}

Bytes Parameters::bytes_of(const Graph& graph, bool gradients) {
  Tables tables;
  tables.add(graph);
  return Buffer::padded(tables.parameters.bytes()) * (gradients ? 2 : 1) +
         Buffer::padded(tables.buffers.bytes()) + Buffer::padded(tables.constants.bytes());
}

}  // namespace framefold

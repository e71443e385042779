#include "engine/graph.h"

#include <cmath>
#include <utility>

namespace framefold {

Init Init::glorot(Index fan_in, Index fan_out) {
  return uniform(std::sqrt(6.0 / static_cast<double>(fan_in + fan_out)));
}

Init Init::he(Index fan_in) { return uniform(std::sqrt(6.0 / static_cast<double>(fan_in))); }

Value Graph::add_value(ValueInfo info) {
  values_.push_back(std::move(info));
  return {static_cast<int>(values_.size()) - 1};
}

Value Graph::input(const std::string& name, const TensorType& type) {
  if (by_name_.contains(name))
    fail(ErrorCode::argument, "graph: the name ", name, " is given to two inputs");
  const Value value = add_value({.name = name, .type = type, .kind = Kind::input, .init = {}});
  by_name_[name] = value.id;
  return value;
}

Value Graph::stored(Kind kind, const std::string& name, const Shape& shape, Init init,
                    bool decays) {
  const std::string full = prefix_ + name;
  if (const auto known = by_name_.find(full); known != by_name_.end()) {
    const ValueInfo& first = values_[static_cast<std::size_t>(known->second)];
    if (first.kind != kind || !(first.type.shape == shape))
      fail(ErrorCode::shape, "graph: ", full, " ", shape, " was declared before as ",
           first.type.shape);
    return {known->second};
  }
  const Value value = add_value(
      {.name = full, .type = {DType::f32, shape}, .kind = kind, .init = init, .decays = decays});
  by_name_[full] = value.id;
  return value;
}

Value Graph::parameter(const std::string& name, const Shape& shape, Init init, bool decays) {
  return stored(Kind::parameter, name, shape, init, decays);
}

Value Graph::buffer(const std::string& name, const Shape& shape, Init init) {
  return stored(Kind::buffer, name, shape, init, false);
}

Value Graph::constant(const std::string& name, const Shape& shape, Init init) {
  return stored(Kind::constant, name, shape, init, false);
}

std::vector<Value> Graph::add(OpPtr op, std::vector<Value> in) {
  Types types;
  for (const Value value : in) types.push_back(type(value));
  Node node{.op = std::move(op), .in = std::move(in), .out = {}, .label = {}, .block = block_};
  const Types outputs = node.op->infer(types);
  const int index = static_cast<int>(nodes_.size());
  node.label = prefix_.empty()
                   ? std::string(node.op->name())
                   : prefix_.substr(0, prefix_.size() - 1) + "/" + std::string(node.op->name());
  for (std::size_t i = 0; i < outputs.size(); ++i)
    node.out.push_back(add_value({.name = text(node.op->name(), '_', index),
                                  .type = outputs[i],
                                  .kind = Kind::activation,
                                  .init = {},
                                  .node = index,
                                  .output = static_cast<int>(i)}));
  nodes_.push_back(node);
  return node.out;
}

Value Graph::one(OpPtr op, std::vector<Value> in) { return add(std::move(op), std::move(in))[0]; }

void Graph::join(int n, OpPtr op) {
  Node& node = nodes_[static_cast<std::size_t>(n)];
  const Node& next = nodes_[static_cast<std::size_t>(n) + 1];
  node.op = std::move(op);
  node.in.insert(node.in.end(), next.in.begin() + 1, next.in.end());
  node.out.insert(node.out.end(), next.out.begin(), next.out.end());
  node.label = next.label + " of a sum";
  node.block = next.block;
  for (std::size_t o = 0; o < node.out.size(); ++o) {
    ValueInfo& out = values_[static_cast<std::size_t>(node.out[o].id)];
    out.node = n;
    out.output = static_cast<int>(o);
  }
}

const Graph::ValueInfo& Graph::info(Value value) const {
  if (value.id < 0 || value.id >= static_cast<int>(values_.size()))
    fail(ErrorCode::argument, "graph: ", value.id, " is no value of this graph");
  return values_[static_cast<std::size_t>(value.id)];
}

Value Graph::find(const std::string& name) const {
  const auto known = by_name_.find(name);
  if (known == by_name_.end())
    fail(ErrorCode::argument, "graph: no input, parameter, buffer or constant is called ", name);
  return {known->second};
}

Graph::Scope::Scope(Graph& graph, const std::string& name)
    : graph_(graph), length_(graph.prefix_.size()) {
  graph_.prefix_ += name + ".";
}

Graph::Scope::~Scope() { graph_.prefix_.resize(length_); }

}  // namespace framefold

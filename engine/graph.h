// A graph of operations over integer handles; shapes are known at once, data comes later.
//
//   Graph g;
//   Value clip = g.input("clip", {DType::u8, {B, T, H, W, 3}});
//   Value code = encoder(g, clip);
//   Value loss = mse(g, decoder(g, code), pixels(g, clip));
//
// Nodes stand in the order in which they were added, which is an order of execution. Whether a
// graph is for training or evaluation (dropout, batch statistics) is fixed when it is made.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "engine/op.h"

namespace framefold {

// A handle: the number of a tensor in its graph.
struct Value {
  int id = -1;
  explicit operator bool() const { return id >= 0; }
  bool operator==(const Value&) const = default;
};

// How a parameter is filled before training. Every draw is Philox under the run's seed and the
// parameter's name, so it depends on neither order nor threads.
struct Init {
  enum class Kind : std::uint8_t { constant, uniform, normal, truncated_normal, sin_cos };
  Kind kind = Kind::constant;
  double a = 0;    // constant: the value; uniform: the lower bound; normal: the mean
  double b = 0;    // uniform: the upper bound; normal: the deviation; sin_cos: the width
  double cut = 2;  // truncated normal: where it ends, in deviations

  static Init zeros() { return {Kind::constant, 0, 0}; }
  static Init ones() { return {Kind::constant, 1, 0}; }
  static Init constant(double value) { return {Kind::constant, value, 0}; }
  static Init uniform(double bound) { return {Kind::uniform, -bound, bound}; }
  static Init normal(double deviation) { return {Kind::normal, 0, deviation}; }
  static Init truncated_normal(double deviation, double cut = 2) {
    return {Kind::truncated_normal, 0, deviation, cut};
  }
  // Positions p of a table [N, width]: sin(p / 10000^(j / width)) at even j, the cosine of the same
  // angle at j + 1, in double (Vaswani et al. 2017, section 3.5). No draw.
  static Init sin_cos(Index width) { return {Kind::sin_cos, 0, static_cast<double>(width)}; }
  // Glorot and Bengio 2010, uniform; He et al. 2015, uniform, gain sqrt(2).
  static Init glorot(Index fan_in, Index fan_out);
  static Init he(Index fan_in);
};

enum class Mode : std::uint8_t { train, evaluate };

class Graph {
 public:
  enum class Kind : std::uint8_t { input, parameter, buffer, constant, activation };

  struct ValueInfo {
    std::string name;  // inputs, parameters and buffers: as given; activations: "conv3d_4"
    TensorType type;
    Kind kind = Kind::activation;
    Init init;      // parameters, buffers and constants
    int node = -1;  // activations: the node that writes it, and which output it is
    int output = 0;
    bool decays = true;  // parameters: whether weight decay applies
  };
  struct Node {
    OpPtr op;
    std::vector<Value> in;
    std::vector<Value> out;
    std::string label;  // "encoder.1/conv3d": the scope that it was added in, and the operation
    int block = -1;     // the Block that it was added in
  };

  explicit Graph(Mode mode = Mode::train) : mode_(mode) {}

  Value input(const std::string& name, const TensorType& type);
  // A trained tensor, f32. The same name again returns the same handle (shared weights) and must
  // have the same shape. Its full name is the scopes and `name`, joined by points.
  Value parameter(const std::string& name, const Shape& shape, Init init, bool decays = true);
  // State that training changes but no gradient does (running statistics), f32.
  Value buffer(const std::string& name, const Shape& shape, Init init);
  // What nothing changes, f32: a function of the initial values' formula, so no file keeps it.
  Value constant(const std::string& name, const Shape& shape, Init init);

  // Adds a node; `one` for an operation with one output.
  std::vector<Value> add(OpPtr op, std::vector<Value> in);
  Value one(OpPtr op, std::vector<Value> in);

  // Node n becomes `op`, which computes node n + 1 too (Op::joined_to), in that one's scope and
  // block; node n + 1 stays as it was. Numbers and values stay.
  void join(int n, OpPtr op);

  Mode mode() const { return mode_; }
  bool training() const { return mode_ == Mode::train; }
  const Shape& shape(Value value) const { return info(value).type.shape; }
  const TensorType& type(Value value) const { return info(value).type; }
  const ValueInfo& info(Value value) const;
  const std::vector<ValueInfo>& values() const { return values_; }
  const std::vector<Node>& nodes() const { return nodes_; }
  Value find(const std::string& name) const;  // of an input or stored; Error if unknown

  // Names within the lifetime of a Scope are prefixed: Scope s(g, "encoder") -> "encoder.weight".
  class Scope {
   public:
    Scope(Graph& graph, const std::string& name);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Graph& graph_;
    std::size_t length_;
  };

  // What is added within the lifetime of a Block may be computed again for the backward pass
  // instead of being kept, where a plan's options say so. Blocks do not nest.
  class Block {
   public:
    explicit Block(Graph& graph) : graph_(graph) { graph_.block_ = graph_.blocks_++; }
    ~Block() { graph_.block_ = -1; }
    Block(const Block&) = delete;
    Block& operator=(const Block&) = delete;

   private:
    Graph& graph_;
  };

 private:
  Value add_value(ValueInfo info);
  Value stored(Kind kind, const std::string& name, const Shape& shape, Init init, bool decays);

  Mode mode_;
  std::string prefix_;
  int block_ = -1, blocks_ = 0;
  std::vector<ValueInfo> values_;
  std::vector<Node> nodes_;
  std::map<std::string, int> by_name_;
};

}  // namespace framefold

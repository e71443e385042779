// An operation of the graph: four pure functions over shapes and tensors.
//
// An Op is immutable and holds its attributes only (stride, epsilon, ...). Inputs and outputs are
// numbered; so are the tensors that forward saves for backward.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/philox.h"
#include "kernels/stream.h"
#include "kernels/tensor.h"

namespace framefold {

using Types = std::vector<TensorType>;

// A set of operand numbers, at most 32.
class Operands {
 public:
  Operands() = default;
  Operands(std::initializer_list<int> members) {
    for (const int member : members) bits_ |= 1U << member;
  }
  static Operands first(int count) {
    Operands set;
    for (int i = 0; i < count; ++i) set.bits_ |= 1U << i;
    return set;
  }
  bool has(int member) const { return ((bits_ >> member) & 1U) != 0; }
  bool empty() const { return bits_ == 0; }

 private:
  std::uint32_t bits_ = 0;
};

// What an operation asks of the planner.
struct Needs {
  Types saved;              // written by forward, read by backward (mean, rstd, a mask)
  Operands reads_inputs;    // inputs whose values backward reads
  Operands reads_outputs;   // outputs whose values backward reads
  Operands differentiable;  // inputs that may receive a gradient
  Operands accumulates;     // of those, the ones whose gradient backward adds to (+=):
                            // parameters; the others' is written (=)
  Operands updates;         // inputs that forward changes in place (running statistics)
  Bytes forward_workspace = 0;
  Bytes backward_workspace = 0;
  int alias_of = -1;               // output 0 is a view of this input's bytes: nothing runs
  bool in_place = false;           // forward may write output 0 over input 0
  bool gradient_in_place = false;  // backward may write input 0's gradient over output 0's
};

// One execution: the tensors, in the order that infer and needs gave them.
struct Run {
  Stream& stream;
  std::span<const Tensor> in;
  std::span<const Tensor> out;
  std::span<const Tensor> saved;
  std::span<const Tensor> dout;  // backward: gradients of the outputs; without data where the
                                 // loss does not depend on that output
  std::span<const Tensor> din;   // backward: gradients of the inputs; without data where nobody
                                 // wants one
  Workspace workspace;
  Random random;  // its stream differs by operation and step

  bool wants(int input) const { return static_cast<bool>(din[static_cast<std::size_t>(input)]); }
};

class Op {
 public:
  virtual ~Op() = default;

  virtual std::string_view name() const = 0;       // the stem of its files
  virtual Types infer(const Types& in) const = 0;  // the outputs, or an Error that names operands
  virtual Needs needs(const Stream& stream, const Types& in, const Types& out) const = 0;
  virtual void forward(Run& run) const = 0;
  virtual void backward(Run& run) const = 0;

  // Floating-point operations of one forward; a backward for every input costs backward_flops.
  virtual double forward_flops(const Types& in, const Types& out) const = 0;
  virtual double backward_flops(const Types& in, const Types& out) const {
    return 2 * forward_flops(in, out);
  }

  // Where a vendor's path stands beside ours: what tells the operation from others of its name and
  // operands, as text. None where there is nothing to choose.
  virtual std::optional<std::string> vendor_attributes(const Stream&, const Types&) const {
    return std::nullopt;
  }
  // One operation that computes `before`, of inputs of types `in`, and then this one of its output,
  // where there is one: it takes before's inputs and this one's others, and gives before's output
  // and this one's.
  virtual std::shared_ptr<const Op> joined_to(const Op& /*before*/, const Types& /*in*/) const {
    return nullptr;
  }
  // Whether backward reads what only forward on the same path has saved: one choice for both.
  virtual bool one_path_both_ways() const { return false; }
};

using OpPtr = std::shared_ptr<const Op>;

// The registry: every operation by name, in alphabetical order, with one sentence.
struct OpInfo {
  std::string_view name;
  std::string_view summary;
};
std::span<const OpInfo> registered_ops();

}  // namespace framefold

// One table of operation cases drives every mode of test: gradients of the double reference against
// central differences, parity of each path with that reference, and reduced precision.
//
//   OP_CASES(layer_norm) {
//     for (Index c : {1, 17, 32, 1023, 1024, 1025})
//       add({.in = {{5, c}, {c}, {c}}, .build = [](Graph& g, const std::vector<Value>& v) {
//              layer_norm(g, v[0], v[1], v[2]);
//            }});
//   }
//
// The modes prove, beyond the values: that `=` overwrites and `+=` adds, that backward reads only
// what needs() declares, that workspaces suffice and nothing is written past a tensor's end, that
// each gradient is the same when it alone is wanted, that operations declared in place are, and
// that results do not depend on leftovers in the output.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/graph.h"

namespace framefold::test {

// f32 stands for the type under test; u8 and i32 operands keep theirs.
struct Operand : TensorType {
  Operand(std::initializer_list<Index> extents) : TensorType{DType::f32, Shape(extents)} {}
  Operand(const Shape& extents) : TensorType{DType::f32, extents} {}
  Operand(DType type, const Shape& extents) : TensorType{type, extents} {}
};

struct OpCase {
  std::vector<Operand> in;
  // Builds the operation's one node on inputs of those types, in that order.
  std::function<void(Graph&, const std::vector<Value>&)> build;

  std::string name = {};  // for messages, before the operands' shapes
  // A value of input `input` at element `index`; by default normal for reals (parameters and
  // activations alike), uniform below 256 for u8 and below 2 for i32.
  std::function<double(int input, Index index, Random random)> fill = nullptr;

  Mode mode = Mode::train;  // of the graph

  // The table of tolerances. Override one only with a measured reason beside it.
  double gradient_tolerance = 1e-6;  // relative, central differences in double
  double parity_tolerance = 2e-5;    // largest error over the reference's root mean square, f32
  double reduced_factor = 2;         // error over the error of rounding operands and results
  bool bf16 = true;                  // false where the operation is for f32 only
};

class OpCases {
 public:
  OpCases(std::string op, void (*define)(OpCases&));
  void add(OpCase value) { cases_.push_back(std::move(value)); }
  const std::string& op() const { return op_; }
  const std::vector<OpCase>& list();

 private:
  std::string op_;
  void (*define_)(OpCases&);
  std::vector<OpCase> cases_;
};

// What runs kernels that no operation has: a test of its own, and part of the one that wants every
// kernel run.
std::vector<void (*)()>& device_programs();

// All tables; the test program registers four tests for each.
std::vector<OpCases*>& op_case_tables();
void register_op_tests();

#define OP_CASES(op)                                                                    \
  namespace {                                                                           \
  struct DefineCasesOf_##op {                                                           \
    ::framefold::test::OpCases& table;                                                  \
    void add(::framefold::test::OpCase value) const { table.add(std::move(value)); }    \
    void define() const;                                                                \
  };                                                                                    \
  ::framefold::test::OpCases cases_of_##op(#op, [](::framefold::test::OpCases& table) { \
    DefineCasesOf_##op{table}.define();                                                 \
  });                                                                                   \
  }                                                                                     \
  void DefineCasesOf_##op::define() const

}  // namespace framefold::test

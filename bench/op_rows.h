// Rows that time one operation through the interface that the engine calls.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "bench/bench.h"
#include "engine/ops.h"

namespace framefold::bench {

// backward: every gradient; dgrad: the activations' alone; wgrad: the parameters' alone.
enum class Pass { forward, backward, both, dgrad, wgrad };
std::string_view name_of(Pass pass);

// An operation on inputs of these types.
struct OpRow {
  OpPtr op;
  Types in;
};
// `build` adds one node to the graph, with inputs of these types.
OpRow op_row(const Types& in, const std::function<void(Graph&, const std::vector<Value>&)>& build);

// The same row with activations of bf16; parameters stay f32.
OpRow in_bf16(OpRow row);

Cost cost_of(const OpRow& row, Pass pass, int threads);

// The row "NAME/PASS". Before it is timed its results are held against those of the plain loops on
// the same operands (or, where these would take long, on a batch of one): a wrong one has no time.
//
// Operands, and the counter "checksum", are functions of element numbers alone, so that another
// implementation can be held to the same. Element i of input k is operand_value(i, k), an output's
// gradient as of input 15; i32 are i modulo their last axis, u8 i modulo 251. The checksum is the
// sum over the f32 tensors that the pass computed, t of them before, of element i times
// operand_value(i, 31 + t); "checksum_scale" is that of the magnitudes.
void add_op(const std::string& name, const OpRow& row, const std::vector<Pass>& passes,
            Path path = Path::automatic);

// On a GPU: "NAME/forward" for several operations one after the other, each on operands of its own.
void add_chain(const std::string& name, const std::vector<OpRow>& rows);
// On a GPU, whose second-level cache holds the others' operands: to be called first.
void add_large_rows();
// On a GPU: "bf16 NAME/PASS" for every row so far that bf16 would change, to be called once.
void add_bf16_rows();
// On a GPU: "vendor/NAME/PASS" for every row so far, those in bf16 included, that a vendor's
// library may have; a row that none has says so. To be called once, after add_bf16_rows().
void add_vendor_rows();

// Runs the pass once on one thread, its instructions alone counted, where the program runs under
// callgrind: one dump, named "NAME/PASS".
void count_op(const std::string& name, const OpRow& row, Pass pass);

float operand_value(Index i, int input);
class Checksum {
 public:
  void add(View tensor);  // f32

  double sum = 0, scale = 0;

 private:
  int tensors_ = 0;
};

}  // namespace framefold::bench

#include "engine/ops.h"
#include "kernels/add_rows.h"
#include "kernels/check.h"

namespace framefold {
namespace {

// Inputs: x, table, index and, together or not at all, masked and token.
class AddRowsOp final : public Op {
 public:
  std::string_view name() const override { return "add_rows"; }

  Types infer(const Types& in) const override {
    TensorType y = in[0];
    expect_float(name(), "x", y.dtype);
    if (y.shape.rank() != 3 || y.shape[2] == 0)
      fail(ErrorCode::shape, name(), ": x is ", y, ", expected [B, M, C], C above 0");
    const DType master = master_of(y.dtype);
    if (in[1].dtype != master || in[1].shape.rank() != 2 || in[1].shape[1] != y.shape[2])
      fail(ErrorCode::shape, name(), ": table is ", in[1], ", expected ", master, " [N, ",
           y.shape[2], "] to match the rows of x");
    expect(name(), "index", in[2], {DType::i32, {y.shape[0], y.shape[1]}}, "to match x");
    if (in.size() == 3) return {y};
    if (in[3].dtype != DType::i32 || in[3].shape.rank() != 2 || in[3].shape[0] != y.shape[0])
      fail(ErrorCode::shape, name(), ": masked is ", in[3], ", expected i32 [", y.shape[0],
           ", K] to match the samples of x");
    expect(name(), "token", in[4], {master, {y.shape[2]}}, "to match a row of x");
    y.shape[1] += in[3].shape[1];
    return {y};
  }

  Needs needs(const Stream& stream, const Types& in, const Types& out) const override {
    const bool token = in.size() > 3;
    return {.reads_inputs = token ? Operands{2, 3} : Operands{2},
            .differentiable = token ? Operands{0, 1, 4} : Operands{0, 1},
            .accumulates = token ? Operands{1, 4} : Operands{1},
            .backward_workspace =
                token ? add_rows_wgrad_token_workspace(stream, out[0], in[0].shape[1]) : 0};
  }

  void forward(Run& run) const override {
    add_rows_forward(run.stream, run.out[0], run.in[0], run.in[1], run.in[2], optional(run, 3),
                     optional(run, 4));
  }

  void backward(Run& run) const override {
    if (run.wants(0)) add_rows_dgrad(run.stream, run.din[0], run.dout[0]);
    if (run.wants(1))
      add_rows_wgrad_table(run.stream, run.din[1], run.dout[0], run.in[2], optional(run, 3));
    if (run.in.size() > 3 && run.wants(4))
      add_rows_wgrad_token(run.stream, run.din[4], run.workspace, run.dout[0], run.in[0].shape[1]);
  }

  double forward_flops(const Types&, const Types& out) const override {
    return static_cast<double>(out[0].shape.size());
  }

 private:
  static View optional(const Run& run, std::size_t input) {
    return input < run.in.size() ? View(run.in[input]) : View();
  }
};

}  // namespace

Value add_rows(Graph& g, Value x, Value table, Value index, Value masked, Value token) {
  std::vector<Value> in{x, table, index};
  if (token) in.insert(in.end(), {masked, token});
  return g.one(std::make_shared<AddRowsOp>(), in);
}

}  // namespace framefold

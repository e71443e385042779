#include "engine/ops.h"
#include "kernels/check.h"
#include "kernels/scatter_rows.h"

namespace framefold {
namespace {

class ScatterRowsOp final : public Op {
 public:
  explicit ScatterRowsOp(Index rows) : rows_(rows) {}

  std::string_view name() const override { return "scatter_rows"; }

  Types infer(const Types& in) const override {
    TensorType y = in[0];
    expect_float(name(), "x", y.dtype);
    expect_rank(name(), "x", y.shape, 2, "[B, M, ...]");
    expect(name(), "index", in[1], {DType::i32, {y.shape[0], y.shape[1]}}, "to match x");
    if (in.size() > 2)
      expect(name(), "token", in[2],
             {master_of(y.dtype), Shape(y.shape.begin() + 2, y.shape.end())},
             "to match a row of x");
    if (rows_ < y.shape[1])
      fail(ErrorCode::argument, name(), ": ", y.shape[1], " rows a sample do not fit into ", rows_);
    y.shape[1] = rows_;
    return {y};
  }

  Needs needs(const Stream& stream, const Types& in, const Types& out) const override {
    const bool token = in.size() > 2;
    return {.saved = {{DType::i32, {out[0].shape[0], rows_}}},
            .differentiable = token ? Operands{0, 2} : Operands{0},
            .accumulates = token ? Operands{2} : Operands{},
            .backward_workspace = token ? scatter_rows_wgrad_workspace(stream, out[0]) : 0};
  }

  void forward(Run& run) const override {
    scatter_rows_forward(run.stream, run.out[0], run.saved[0], run.in[0], run.in[1],
                         run.in.size() > 2 ? View(run.in[2]) : View());
  }

  void backward(Run& run) const override {
    if (run.wants(0)) scatter_rows_dgrad(run.stream, run.din[0], run.dout[0], run.saved[0]);
    if (run.in.size() > 2 && run.wants(2))
      scatter_rows_wgrad(run.stream, run.din[2], run.workspace, run.dout[0], run.saved[0]);
  }

  double forward_flops(const Types&, const Types&) const override { return 0; }
  double backward_flops(const Types& in, const Types& out) const override {
    return in.size() > 2 ? static_cast<double>(out[0].shape.size() - in[0].shape.size()) : 0;
  }

 private:
  Index rows_;
};

}  // namespace

Value scatter_rows(Graph& g, Value x, Value index, Index rows, Value token) {
  std::vector<Value> in{x, index};
  if (token) in.push_back(token);
  return g.one(std::make_shared<ScatterRowsOp>(rows), in);
}

}  // namespace framefold

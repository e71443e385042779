#include "engine/ops.h"
#include "kernels/check.h"
#include "kernels/gather_rows.h"

namespace framefold {
namespace {

class GatherRowsOp final : public Op {
 public:
  std::string_view name() const override { return "gather_rows"; }

  Types infer(const Types& in) const override {
    TensorType y = in[0];
    expect_rank(name(), "x", y.shape, 2, "[B, N, ...]");
    expect_rank(name(), "index", in[1].shape, 2, "[B, M]");
    expect(name(), "index", in[1], {DType::i32, {y.shape[0], in[1].shape[1]}},
           "to match the samples of x");
    y.shape[1] = in[1].shape[1];
    return {y};
  }

  Needs needs(const Stream&, const Types& in, const Types&) const override {
    return {.reads_inputs = {1},
            .differentiable = is_float(in[0].dtype) ? Operands{0} : Operands{},
            .backward_workspace = gather_rows_dgrad_workspace(in[0].shape, in[1].shape)};
  }

  void forward(Run& run) const override {
    gather_rows_forward(run.stream, run.out[0], run.in[0], run.in[1]);
  }
  void backward(Run& run) const override {
    if (run.wants(0))
      gather_rows_dgrad(run.stream, run.din[0], run.workspace, run.dout[0], run.in[1]);
  }

  double forward_flops(const Types&, const Types&) const override { return 0; }
};

}  // namespace

Value gather_rows(Graph& g, Value x, Value index) {
  return g.one(std::make_shared<GatherRowsOp>(), {x, index});
}

}  // namespace framefold

#include "engine/ops.h"
#include "kernels/check.h"

namespace framefold {
namespace {

class BatchNormOp final : public Op {
 public:
  explicit BatchNormOp(BatchNorm norm) : norm_(norm) {}

  std::string_view name() const override { return "batch_norm"; }

  Types infer(const Types& in) const override {
    const TensorType& x = in[0];
    expect_float(name(), "x", x.dtype);
    expect_rank(name(), "x", x.shape, 1, "[..., C]");
    const std::string_view operands[] = {"x", "gamma", "beta", "running_mean", "running_var"};
    for (std::size_t i = 1; i < in.size(); ++i)
      expect(name(), operands[i], in[i], {master_of(x.dtype), {x.shape[-1]}},
             "to match the last axis of x");
    if (norm_.training && x.shape.size() <= x.shape[-1])
      fail(ErrorCode::shape, name(), ": x ", x.shape,
           " has fewer than two rows, which have no variance");
    return {x};
  }

  Needs needs(const Stream& stream, const Types& in, const Types&) const override {
    const Bytes workspace = batch_norm_workspace(stream, in[0].shape);
    return {.saved = {in[1], in[1]},
            .reads_inputs = {0, 1},
            .differentiable = {0, 1, 2},
            .accumulates = {1, 2, 3, 4},  // of which the running statistics have no gradient
            .updates = norm_.training ? Operands{3, 4} : Operands{},
            .forward_workspace = norm_.training ? workspace : 0,
            .backward_workspace = workspace + Workspace::padded(2 * in[1].bytes()),
            .gradient_in_place = true};
  }

  void forward(Run& run) const override {
    batch_norm_forward(run.stream, norm_, run.out[0], run.saved[0], run.saved[1], run.in[3],
                       run.in[4], run.workspace, run.in[0], run.in[1], run.in[2]);
  }

  void backward(Run& run) const override {
    const Tensor sums = run.workspace.take(TensorType{run.in[1].dtype, {2, run.in[0].shape[-1]}});
    batch_norm_sums(run.stream, sums, run.workspace, run.dout[0], run.in[0], run.saved[0],
                    run.saved[1]);
    if (run.wants(1) || run.wants(2)) batch_norm_wgrad(run.stream, run.din[1], run.din[2], sums);
    if (run.wants(0))
      batch_norm_dgrad(run.stream, norm_, run.din[0], run.workspace, run.dout[0], run.in[0],
                       run.saved[0], run.saved[1], run.in[1], sums);
  }

  double forward_flops(const Types& in, const Types&) const override {
    return (norm_.training ? 7.0 : 3.0) * static_cast<double>(in[0].shape.size());
  }
  double backward_flops(const Types& in, const Types&) const override {
    return 9.0 * static_cast<double>(in[0].shape.size());
  }

 private:
  BatchNorm norm_;
};

}  // namespace

Value batch_norm(Graph& g, Value x, Value gamma, Value beta, Value running_mean, Value running_var,
                 BatchNorm norm) {
  norm.training = g.training();
  return g.one(std::make_shared<BatchNormOp>(norm), {x, gamma, beta, running_mean, running_var});
}

}  // namespace framefold

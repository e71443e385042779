#include "engine/ops.h"
#include "kernels/check.h"

namespace framefold {
namespace {

class GroupNormOp final : public Op {
 public:
  explicit GroupNormOp(GroupNorm norm) : norm_(norm) {}

  std::string_view name() const override { return "group_norm"; }

  Types infer(const Types& in) const override {
    const TensorType& x = in[0];
    expect_float(name(), "x", x.dtype);
    expect_rank(name(), "x", x.shape, 2, "[B, ..., C]");
    if (x.shape.size() == 0) fail(ErrorCode::shape, name(), ": x ", x.shape, " has no elements");
    const TensorType parameter{master_of(x.dtype), {x.shape[-1]}};
    expect(name(), "gamma", in[1], parameter, "to match the last axis of x");
    expect(name(), "beta", in[2], parameter, "to match the last axis of x");
    if (norm_.groups < 1 || x.shape[-1] % norm_.groups != 0)
      fail(ErrorCode::argument, name(), ": ", norm_.groups, " groups do not divide the ",
           x.shape[-1], " channels of x ", x.shape);
    return {x};
  }

  Needs needs(const Stream& stream, const Types& in, const Types&) const override {
    const TensorType statistics{in[1].dtype, {in[0].shape[0], norm_.groups}};
    const Bytes workspace = group_norm_workspace(stream, norm_, in[0].shape);
    return {.saved = {statistics, statistics},
            .reads_inputs = norm_.silu ? Operands{0, 1, 2} : Operands{0, 1},
            .differentiable = {0, 1, 2},
            .accumulates = {1, 2},
            .forward_workspace = workspace,
            .backward_workspace = workspace + Workspace::padded(sums_type(in[0], in[1]).bytes()) +
                                  (norm_.silu ? Workspace::padded(in[0].bytes()) : 0),
            .gradient_in_place = true};
  }

  void forward(Run& run) const override {
    group_norm_forward(run.stream, norm_, run.out[0], run.saved[0], run.saved[1], run.workspace,
                       run.in[0], run.in[1], run.in[2]);
  }

  void backward(Run& run) const override {
    Tensor dz = run.dout[0];
    if (norm_.silu) {
      dz = run.workspace.take(run.in[0].type());
      group_norm_dsilu(run.stream, norm_, dz, run.dout[0], run.in[0], run.saved[0], run.saved[1],
                       run.in[1], run.in[2]);
    }
    const Tensor sums = run.workspace.take(sums_type(run.in[0].type(), run.in[1].type()));
    group_norm_sums(run.stream, norm_, sums, run.workspace, dz, run.in[0], run.saved[0],
                    run.saved[1]);
    if (run.wants(1) || run.wants(2)) group_norm_wgrad(run.stream, run.din[1], run.din[2], sums);
    if (run.wants(0))
      group_norm_dgrad(run.stream, norm_, run.din[0], run.workspace, dz, run.in[0], run.saved[0],
                       run.saved[1], run.in[1], sums);
  }

  double forward_flops(const Types& in, const Types&) const override {
    return 7.0 * static_cast<double>(in[0].shape.size());
  }
  double backward_flops(const Types& in, const Types&) const override {
    return 9.0 * static_cast<double>(in[0].shape.size());
  }

 private:
  static TensorType sums_type(const TensorType& x, const TensorType& gamma) {
    return {gamma.dtype, {x.shape[0], 2, x.shape[-1]}};
  }

  GroupNorm norm_;
};

}  // namespace

Value group_norm(Graph& g, Value x, Value gamma, Value beta, GroupNorm norm) {
  return g.one(std::make_shared<GroupNormOp>(norm), {x, gamma, beta});
}

}  // namespace framefold

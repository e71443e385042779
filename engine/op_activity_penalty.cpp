#include "engine/ops.h"
#include "kernels/check.h"

namespace framefold {
namespace {

class ActivityPenaltyOp final : public Op {
 public:
  explicit ActivityPenaltyOp(ActivityPenalty penalty) : penalty_(penalty) {}

  std::string_view name() const override { return "activity_penalty"; }

  Types infer(const Types& in) const override {
    const TensorType& x = in[0];
    expect_float(name(), "x", x.dtype);
    if (x.shape.rank() == 0 || x.shape.size() == 0)
      fail(ErrorCode::shape, name(), ": x is ", x, ", expected [..., C] with at least one element");
    if (!(penalty_.target > 0 && penalty_.target < 1))
      fail(ErrorCode::argument, name(), ": target is ", penalty_.target,
           ", expected above 0 and below 1");
    return {{master_of(x.dtype), {1}}};
  }

  Needs needs(const Stream& stream, const Types& in, const Types&) const override {
    const TensorType& x = in[0];
    const Bytes workspace = activity_penalty_workspace(stream, penalty_, x);
    Needs needs{.differentiable = {0},
                .forward_workspace = workspace,
                .backward_workspace = sparsity() ? workspace : 0};
    if (sparsity())
      needs.saved = {{master_of(x.dtype), {x.shape[-1]}}};
    else
      needs.reads_inputs = {0};
    return needs;
  }

  void forward(Run& run) const override {
    activity_penalty_forward(run.stream, penalty_, run.out[0], activity(run), run.workspace,
                             run.in[0]);
  }

  void backward(Run& run) const override {
    if (run.wants(0))
      activity_penalty_dgrad(run.stream, penalty_, run.din[0], run.workspace, run.dout[0],
                             run.in[0], activity(run));
  }

  double forward_flops(const Types& in, const Types&) const override {
    return 2.0 * static_cast<double>(in[0].shape.size());
  }

 private:
  bool sparsity() const { return penalty_.kind == ActivityPenalty::sparsity; }
  Tensor activity(const Run& run) const { return sparsity() ? run.saved[0] : Tensor{}; }

  ActivityPenalty penalty_;
};

}  // namespace

Value activity_penalty(Graph& g, Value x, ActivityPenalty penalty) {
  return g.one(std::make_shared<ActivityPenaltyOp>(penalty), {x});
}

}  // namespace framefold

#include "engine/ops.h"
#include "kernels/check.h"
#include "kernels/pointwise_loss.h"

namespace framefold {
namespace {

std::string_view name_of(PointwiseLoss::Kind kind) {
  switch (kind) {
    case PointwiseLoss::mse: return "mse";
    case PointwiseLoss::l1: return "l1";
    case PointwiseLoss::huber: return "huber";
    case PointwiseLoss::bce_with_logits: return "bce_with_logits";
  }
  return "pointwise_loss";
}

class PointwiseLossOp final : public Op {
 public:
  explicit PointwiseLossOp(PointwiseLoss loss) : loss_(loss) {}

  std::string_view name() const override { return "pointwise_loss"; }

  Types infer(const Types& in) const override {
    const TensorType& x = in[0];
    const std::string_view loss = name_of(loss_.kind);
    expect_float(loss, "x", x.dtype);
    if (!(in[1] == TensorType{DType::u8, x.shape}))
      expect(loss, "the target", in[1], x, "as x, or u8 of its shape");
    if (!(loss_.delta > 0))
      fail(ErrorCode::argument, loss, ": delta is ", loss_.delta, ", expected above 0");
    return {{master_of(x.dtype), {1}}};
  }

  Needs needs(const Stream&, const Types& in, const Types&) const override {
    const bool data = loss_.kind == PointwiseLoss::bce_with_logits || in[1].dtype == DType::u8;
    return {.reads_inputs = {0, 1},
            .differentiable = data ? Operands{0} : Operands{0, 1},
            .forward_workspace = pointwise_loss_workspace(in[0])};
  }

  void forward(Run& run) const override {
    pointwise_loss_forward(run.stream, loss_, run.out[0], run.workspace, run.in[0], run.in[1]);
  }

  void backward(Run& run) const override {
    for (const std::size_t i : {0U, 1U})
      if (run.wants(static_cast<int>(i)))
        pointwise_loss_dgrad(run.stream, loss_, run.din[i], run.dout[0], run.in[i], run.in[1 - i]);
  }

  double forward_flops(const Types& in, const Types&) const override {
    return (loss_.kind == PointwiseLoss::bce_with_logits ? 30.0 : 4.0) *
           static_cast<double>(in[0].shape.size());
  }

 private:
  PointwiseLoss loss_;
};

Value compare(Graph& g, PointwiseLoss loss, Value x, Value target) {
  return g.one(std::make_shared<PointwiseLossOp>(loss), {x, target});
}

}  // namespace

Value mse(Graph& g, Value x, Value target, LossReduction reduction) {
  return compare(g, {.kind = PointwiseLoss::mse, .reduction = reduction}, x, target);
}

Value l1(Graph& g, Value x, Value target, LossReduction reduction) {
  return compare(g, {.kind = PointwiseLoss::l1, .reduction = reduction}, x, target);
}

Value huber(Graph& g, Value x, Value target, float delta, LossReduction reduction) {
  return compare(g, {.kind = PointwiseLoss::huber, .reduction = reduction, .delta = delta}, x,
                 target);
}

Value bce_with_logits(Graph& g, Value x, Value target, LossReduction reduction) {
  return compare(g, {.kind = PointwiseLoss::bce_with_logits, .reduction = reduction}, x, target);
}

}  // namespace framefold

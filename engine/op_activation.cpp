#include "engine/ops.h"
#include "kernels/check.h"

namespace framefold {
namespace {

class ActivationOp final : public Op {
 public:
  explicit ActivationOp(Activation activation) : activation_(activation) {}

  std::string_view name() const override { return "activation"; }

  Types infer(const Types& in) const override {
    expect_float(name(), "x", in[0].dtype);
    return {in[0]};
  }

  Needs needs(const Stream&, const Types&, const Types&) const override {
    const bool from_output = activation_.derivative_from_output();
    return {.reads_inputs = from_output ? Operands{} : Operands{0},
            .reads_outputs = from_output ? Operands{0} : Operands{},
            .differentiable = {0},
            .in_place = from_output,
            .gradient_in_place = true};
  }

  void forward(Run& run) const override {
    activation_forward(run.stream, activation_, run.out[0], run.in[0]);
  }

  void backward(Run& run) const override {
    if (!run.wants(0)) return;
    const Tensor from = activation_.derivative_from_output() ? run.out[0] : run.in[0];
    activation_dgrad(run.stream, activation_, run.din[0], run.dout[0], from);
  }

  double forward_flops(const Types& in, const Types&) const override {
    return (activation_.kind <= Activation::leaky_relu ? 1.0 : 10.0) *
           static_cast<double>(in[0].shape.size());
  }

 private:
  Activation activation_;
};

}  // namespace

Value activation(Graph& g, Value x, Activation activation) {
  if (activation.kind == Activation::none) return x;
  return g.one(std::make_shared<ActivationOp>(activation), {x});
}

}  // namespace framefold

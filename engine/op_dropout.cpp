#include "engine/ops.h"
#include "kernels/check.h"
#include "kernels/dropout.h"

namespace framefold {
namespace {

class DropoutOp final : public Op {
 public:
  explicit DropoutOp(float rate) : rate_(rate) {}

  std::string_view name() const override { return "dropout"; }

  Types infer(const Types& in) const override {
    expect_float(name(), "x", in[0].dtype);
    if (!(rate_ >= 0 && rate_ < 1))
      fail(ErrorCode::argument, name(), ": rate is ", rate_, ", expected at least 0 and below 1");
    return {in[0]};
  }

  Needs needs(const Stream&, const Types&, const Types&) const override {
    return {.differentiable = {0}, .in_place = true, .gradient_in_place = true};
  }

  void forward(Run& run) const override {
    dropout(run.stream, rate_, run.random, run.out[0], run.in[0]);
  }

  void backward(Run& run) const override {
    if (run.wants(0)) dropout(run.stream, rate_, run.random, run.din[0], run.dout[0]);
  }

  // Philox's rounds, shared by four elements.
  double forward_flops(const Types& in, const Types&) const override {
    return 16.0 * static_cast<double>(in[0].shape.size());
  }
  double backward_flops(const Types& in, const Types& out) const override {
    return forward_flops(in, out);
  }

 private:
  float rate_;
};

}  // namespace

Value dropout(Graph& g, Value x, float rate) {
  const auto op = std::make_shared<DropoutOp>(rate);
  return g.training() && rate != 0 ? g.one(op, {x}) : x;
}

}  // namespace framefold

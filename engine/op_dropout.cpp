#include <algorithm>

#include "engine/ops.h"
#include "kernels/check.h"
#include "kernels/dropout.h"

namespace framefold {
namespace {

class DropoutOp final : public Op {
 public:
  // A draw for every element, or for every sample.
  DropoutOp(float rate, bool samples) : rate_(rate), samples_(samples) {}

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
    dropout(run.stream, rate_, each(run.in[0].shape), run.random, run.out[0], run.in[0]);
  }

  void backward(Run& run) const override {
    if (run.wants(0))
      dropout(run.stream, rate_, each(run.dout[0].shape), run.random, run.din[0], run.dout[0]);
  }

  // Philox's rounds, shared by four elements.
  double forward_flops(const Types& in, const Types&) const override {
    return 16.0 * static_cast<double>(in[0].shape.size());
  }
  double backward_flops(const Types& in, const Types& out) const override {
    return forward_flops(in, out);
  }

 private:
  Index each(const Shape& x) const { return samples_ ? std::max<Index>(1, x.size() / x[0]) : 1; }

  float rate_;
  bool samples_;
};

}  // namespace

Value dropout(Graph& g, Value x, float rate) {
  const auto op = std::make_shared<DropoutOp>(rate, false);
  return g.training() && rate != 0 ? g.one(op, {x}) : x;
}

Value drop_path(Graph& g, Value x, float rate) {
  const auto op = std::make_shared<DropoutOp>(rate, true);
  return g.training() && rate != 0 ? g.one(op, {x}) : x;
}

}  // namespace framefold

#include "engine/ops.h"
#include "kernels/check.h"
#include "kernels/scale.h"

namespace framefold {
namespace {

class ScaleOp final : public Op {
 public:
  ScaleOp(double a, double b) : a_(a), b_(b) {}

  std::string_view name() const override { return "scale"; }

  Types infer(const Types& in) const override {
    expect_float(name(), "x", in[0].dtype);
    return {in[0]};
  }

  Needs needs(const Stream&, const Types&, const Types&) const override {
    return {.differentiable = {0}, .in_place = true, .gradient_in_place = true};
  }

  void forward(Run& run) const override { scale(run.stream, a_, b_, run.out[0], run.in[0]); }

  void backward(Run& run) const override {
    if (run.wants(0)) scale(run.stream, a_, 0, run.din[0], run.dout[0]);
  }

  double forward_flops(const Types& in, const Types&) const override {
    return 2.0 * static_cast<double>(in[0].shape.size());
  }

 private:
  double a_, b_;
};

}  // namespace

Value scale(Graph& g, Value x, double a, double b) {
  return g.one(std::make_shared<ScaleOp>(a, b), {x});
}

}  // namespace framefold

#include "kernels/softmax.h"

#include "engine/ops.h"
#include "kernels/check.h"

namespace framefold {
namespace {

class SoftmaxOp final : public Op {
 public:
  std::string_view name() const override { return "softmax"; }

  Types infer(const Types& in) const override {
    expect_float(name(), "x", in[0].dtype);
    expect_rank(name(), "x", in[0].shape, 1, "[..., C]");
    return {in[0]};
  }

  Needs needs(const Stream&, const Types&, const Types&) const override {
    return {
        .reads_outputs = {0}, .differentiable = {0}, .in_place = true, .gradient_in_place = true};
  }

  void forward(Run& run) const override { softmax_forward(run.stream, run.out[0], run.in[0]); }
  void backward(Run& run) const override {
    if (run.wants(0)) softmax_dgrad(run.stream, run.din[0], run.dout[0], run.out[0]);
  }

  // Exponentials counted as one operation each.
  double forward_flops(const Types& in, const Types&) const override {
    return 5.0 * static_cast<double>(in[0].shape.size());
  }
  double backward_flops(const Types& in, const Types&) const override {
    return 4.0 * static_cast<double>(in[0].shape.size());
  }
};

}  // namespace

Value softmax(Graph& g, Value x) { return g.one(std::make_shared<SoftmaxOp>(), {x}); }

}  // namespace framefold

#include "engine/ops.h"
#include "kernels/check.h"
#include "kernels/multiply.h"

namespace framefold {
namespace {

class MultiplyOp final : public Op {
 public:
  std::string_view name() const override { return "multiply"; }

  Types infer(const Types& in) const override {
    expect_float(name(), "a", in[0].dtype);
    expect(name(), "b", in[1], in[0], "as a");
    return {in[0]};
  }

  Needs needs(const Stream&, const Types&, const Types&) const override {
    return {.reads_inputs = {0, 1}, .differentiable = {0, 1}, .gradient_in_place = true};
  }

  void forward(Run& run) const override { multiply(run.stream, run.out[0], run.in[0], run.in[1]); }

  // a's gradient comes last, as it may stand over dout.
  void backward(Run& run) const override {
    if (run.wants(1)) multiply(run.stream, run.din[1], run.dout[0], run.in[0]);
    if (run.wants(0)) multiply(run.stream, run.din[0], run.dout[0], run.in[1]);
  }

  double forward_flops(const Types& in, const Types&) const override {
    return static_cast<double>(in[0].shape.size());
  }
};

}  // namespace

Value multiply(Graph& g, Value a, Value b) { return g.one(std::make_shared<MultiplyOp>(), {a, b}); }

}  // namespace framefold

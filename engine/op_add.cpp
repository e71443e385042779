#include <algorithm>

#include "engine/ops.h"
#include "kernels/add.h"
#include "kernels/check.h"

namespace framefold {
namespace {

class AddOp final : public Op {
 public:
  std::string_view name() const override { return "add"; }

  Types infer(const Types& in) const override {
    const TensorType& x = in[0];
    const TensorType& b = in[1];
    expect_float(name(), "x", x.dtype);
    if (x == b) return {x};
    const Index lead = x.shape.rank() - b.shape.rank();
    if (b.dtype != master_of(x.dtype) || lead <= 0 ||
        !std::equal(b.shape.begin(), b.shape.end(), x.shape.begin() + lead))
      fail(ErrorCode::shape, name(), ": b is ", b, ", expected ", x, " as x or ",
           master_of(x.dtype), " with the last axes of x");
    return {x};
  }

  Needs needs(const Stream& stream, const Types& in, const Types&) const override {
    const bool repeated = !(in[0].shape == in[1].shape);
    return {.differentiable = {0, 1},
            .accumulates = repeated ? Operands{1} : Operands{},
            .backward_workspace = repeated ? add_wgrad_workspace(stream, in[1], in[0]) : 0,
            .in_place = true,
            .gradient_in_place = true};
  }

  void forward(Run& run) const override {
    add_forward(run.stream, run.out[0], run.in[0], run.in[1]);
  }

  void backward(Run& run) const override {
    if (run.wants(0)) add_dgrad(run.stream, run.din[0], run.dout[0]);
    if (!run.wants(1)) return;
    if (run.in[0].shape == run.in[1].shape)
      add_dgrad(run.stream, run.din[1], run.dout[0]);
    else
      add_wgrad(run.stream, run.din[1], run.workspace, run.dout[0]);
  }

  double forward_flops(const Types& in, const Types&) const override {
    return static_cast<double>(in[0].shape.size());
  }
};

}  // namespace

Value add(Graph& g, Value x, Value b) { return g.one(std::make_shared<AddOp>(), {x, b}); }

}  // namespace framefold

#include "engine/ops.h"
#include "kernels/check.h"
#include "kernels/concat.h"

namespace framefold {
namespace {

class ConcatOp final : public Op {
 public:
  explicit ConcatOp(int axis) : axis_(axis) {}

  std::string_view name() const override { return "concat"; }

  Types infer(const Types& in) const override {
    if (in.empty() || in.size() > concat_limit)
      fail(ErrorCode::argument, name(), ": ", in.size(), " inputs were given, expected 1 to ",
           concat_limit);
    TensorType y = in[0];
    const int axis = expect_axis(name(), y.shape, axis_);
    for (std::size_t i = 1; i < in.size(); ++i) {
      TensorType expected = in[0];
      if (in[i].shape.rank() > axis) expected.shape[axis] = in[i].shape[axis];
      expect(name(), text("input ", i), in[i], expected,
             text("to match input 0 in all but axis ", axis));
      y.shape[axis] += in[i].shape[axis];
    }
    return {y};
  }

  Needs needs(const Stream&, const Types& in, const Types&) const override {
    const int count = is_float(in[0].dtype) ? static_cast<int>(in.size()) : 0;
    return {.differentiable = Operands::first(count)};
  }

  void forward(Run& run) const override {
    concat_forward(run.stream, run.out[0], run.in, axis(run.out[0]));
  }
  void backward(Run& run) const override {
    concat_dgrad(run.stream, run.din, run.dout[0], axis(run.out[0]));
  }

  double forward_flops(const Types&, const Types&) const override { return 0; }

 private:
  int axis(const Tensor& y) const { return expect_axis(name(), y.shape, axis_); }

  int axis_;
};

}  // namespace

Value concat(Graph& g, const std::vector<Value>& x, int axis) {
  return g.one(std::make_shared<ConcatOp>(axis), x);
}

}  // namespace framefold

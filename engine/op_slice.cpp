#include "engine/ops.h"
#include "kernels/check.h"
#include "kernels/slice.h"

namespace framefold {
namespace {

class SliceOp final : public Op {
 public:
  SliceOp(int axis, Index begin, Index end) : axis_(axis), begin_(begin), end_(end) {}

  std::string_view name() const override { return "slice"; }

  Types infer(const Types& in) const override {
    TensorType y = in[0];
    const int axis = expect_axis(name(), y.shape, axis_);
    if (begin_ < 0 || begin_ >= end_ || end_ > y.shape[axis])
      fail(ErrorCode::argument, name(), ": the part ", begin_, " to ", end_, " of axis ", axis,
           " of x ", y.shape,
           " is empty or passes its ends, expected 0 <= begin < end <= ", y.shape[axis]);
    y.shape[axis] = end_ - begin_;
    return {y};
  }

  Needs needs(const Stream&, const Types& in, const Types&) const override {
    return {.differentiable = is_float(in[0].dtype) ? Operands{0} : Operands{}};
  }

  void forward(Run& run) const override {
    slice_forward(run.stream, run.out[0], run.in[0], axis(run.in[0]), begin_);
  }
  void backward(Run& run) const override {
    if (run.wants(0)) slice_dgrad(run.stream, run.din[0], run.dout[0], axis(run.in[0]), begin_);
  }

  double forward_flops(const Types&, const Types&) const override { return 0; }

 private:
  int axis(const Tensor& x) const { return expect_axis(name(), x.shape, axis_); }

  int axis_;
  Index begin_, end_;
};

}  // namespace

Value slice(Graph& g, Value x, int axis, Index begin, Index end) {
  return g.one(std::make_shared<SliceOp>(axis, begin, end), {x});
}

}  // namespace framefold

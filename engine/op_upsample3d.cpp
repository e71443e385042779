#include "kernels/upsample3d.h"

#include "engine/ops.h"
#include "kernels/check.h"

namespace framefold {
namespace {

class Upsample3dOp final : public Op {
 public:
  Upsample3dOp(const Extents& size, Upsampling kind) : size_(size), kind_(kind) {}

  std::string_view name() const override { return "upsample3d"; }

  Types infer(const Types& in) const override {
    TensorType y = in[0];
    expect_clip(name(), y);
    for (int axis = 0; axis < 3; ++axis) {
      const Index size = size_[static_cast<std::size_t>(axis)];
      if (size < 1)
        fail(ErrorCode::argument, name(), ": the size ", size, " along ", "THW"[axis],
             " is below 1");
      y.shape[axis + 1] = size;
    }
    return {y};
  }

  Needs needs(const Stream& stream, const Types& in, const Types& out) const override {
    const Bytes workspace = upsample3d_workspace(stream, in[0].shape, out[0].shape);
    return {.differentiable = {0}, .forward_workspace = workspace, .backward_workspace = workspace};
  }

  void forward(Run& run) const override {
    upsample3d_forward(run.stream, kind_, run.out[0], run.workspace, run.in[0]);
  }
  void backward(Run& run) const override {
    if (run.wants(0)) upsample3d_dgrad(run.stream, kind_, run.din[0], run.workspace, run.dout[0]);
  }

  // Two products and two sums an axis.
  double forward_flops(const Types&, const Types& out) const override {
    return kind_ == Upsampling::nearest ? 0 : 9.0 * static_cast<double>(out[0].shape.size());
  }
  double backward_flops(const Types&, const Types& out) const override {
    return (kind_ == Upsampling::nearest ? 1.0 : 9.0) * static_cast<double>(out[0].shape.size());
  }

 private:
  Extents size_;
  Upsampling kind_;
};

}  // namespace

Value upsample3d(Graph& g, Value x, const Extents& size, Upsampling kind) {
  return g.one(std::make_shared<Upsample3dOp>(size, kind), {x});
}

}  // namespace framefold

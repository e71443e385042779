#include "engine/ops.h"
#include "kernels/check.h"
#include "kernels/pixel_lines.h"

namespace framefold {
namespace {

class PixelsOp final : public Op {
 public:
  PixelsOp(Pixels pixels, DType type) : pixels_(std::move(pixels)), type_(type) {}

  std::string_view name() const override { return "pixels"; }

  Types infer(const Types& in) const override {
    const TensorType& x = in[0];
    expect_float(name(), "y", type_);
    expect(name(), "x", x, {DType::u8, x.shape}, "as frames come from a decoder");
    expect_rank(name(), "x", x.shape, 1, "[..., C]");
    expect_pixels(name(), "x", pixels_, x.shape[-1]);
    return {{type_, x.shape}};
  }

  Needs needs(const Stream&, const Types&, const Types&) const override { return {}; }

  void forward(Run& run) const override {
    pixels_forward(run.stream, pixels_, run.out[0], run.in[0]);
  }
  void backward(Run&) const override {}

  double forward_flops(const Types& in, const Types&) const override {
    return 2.0 * static_cast<double>(in[0].shape.size());
  }

 private:
  Pixels pixels_;
  DType type_;
};

}  // namespace

Value pixels(Graph& g, Value x, Pixels pixels, DType type) {
  return g.one(std::make_shared<PixelsOp>(std::move(pixels), type), {x});
}

}  // namespace framefold

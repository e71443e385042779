#include "engine/ops.h"
#include "kernels/check.h"

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
    expect_channels("mean", pixels_.mean, x.shape[-1]);
    expect_channels("deviation", pixels_.deviation, x.shape[-1]);
    for (const float deviation : pixels_.deviation)
      if (!(deviation > 0))
        fail(ErrorCode::argument, name(), ": a deviation is ", deviation, ", expected above 0");
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
  void expect_channels(std::string_view what, const std::vector<float>& given,
                       Index channels) const {
    const auto count = static_cast<Index>(given.size());
    if (count == 0 || (count == channels && channels <= Pixels::max_channels)) return;
    fail(ErrorCode::argument, name(), ": ", count, " numbers are given as ", what,
         ", expected one for each of x's ", channels, " channels (at most ", Pixels::max_channels,
         ") or none");
  }

  Pixels pixels_;
  DType type_;
};

}  // namespace

Value pixels(Graph& g, Value x, Pixels pixels, DType type) {
  return g.one(std::make_shared<PixelsOp>(std::move(pixels), type), {x});
}

}  // namespace framefold

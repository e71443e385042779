#include "engine/ops.h"
#include "kernels/check.h"

namespace framefold {
namespace {

class NoiseOp final : public Op {
 public:
  explicit NoiseOp(Noise noise) : noise_(noise) {}

  std::string_view name() const override { return "noise"; }

  Types infer(const Types& in) const override {
    expect_float(name(), "x", in[0].dtype);
    if (!(noise_.low < noise_.high))
      fail(ErrorCode::argument, name(), ": low is ", noise_.low, " and high ", noise_.high,
           ", expected low below high");
    return {in[0]};
  }

  Needs needs(const Stream&, const Types&, const Types&) const override {
    return {
        .reads_outputs = {0}, .differentiable = {0}, .in_place = true, .gradient_in_place = true};
  }

  void forward(Run& run) const override {
    noise_forward(run.stream, noise_, run.random, run.out[0], run.in[0]);
  }

  void backward(Run& run) const override {
    if (run.wants(0)) noise_dgrad(run.stream, noise_, run.din[0], run.dout[0], run.out[0]);
  }

  // Philox's rounds for two words, and Box and Muller's functions.
  double forward_flops(const Types& in, const Types&) const override {
    return 60.0 * static_cast<double>(in[0].shape.size());
  }
  double backward_flops(const Types& in, const Types&) const override {
    return static_cast<double>(in[0].shape.size());
  }

 private:
  Noise noise_;
};

}  // namespace

Value noise(Graph& g, Value x, Noise noise) {
  return g.training() ? g.one(std::make_shared<NoiseOp>(noise), {x}) : x;
}

}  // namespace framefold

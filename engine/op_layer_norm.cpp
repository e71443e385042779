#include "engine/ops.h"
#include "kernels/check.h"

namespace framefold {
namespace {

class LayerNormOp final : public Op {
 public:
  explicit LayerNormOp(LayerNorm norm) : norm_(norm) {}

  std::string_view name() const override { return "layer_norm"; }

  Types infer(const Types& in) const override {
    const TensorType& x = in[0];
    expect_float(name(), "x", x.dtype);
    expect_rank(name(), "x", x.shape, 1, "[..., C]");
    const TensorType parameter{master_of(x.dtype), {x.shape[-1]}};
    expect(name(), "gamma", in[1], parameter, "to match the last axis of x");
    expect(name(), "beta", in[2], parameter, "to match the last axis of x");
    return {x};
  }

  Needs needs(const Stream& stream, const Types& in, const Types&) const override {
    const TensorType& x = in[0];
    const TensorType rows{master_of(x.dtype), {x.shape.size() / x.shape[-1]}};
    return {.saved = {rows, rows},
            .reads_inputs = {0, 1},
            .differentiable = {0, 1, 2},
            .accumulates = {1, 2},
            .backward_workspace = layer_norm_wgrad_workspace(stream, x)};
  }

  void forward(Run& run) const override {
    layer_norm_forward(run.stream, norm_, run.out[0], run.saved[0], run.saved[1], run.in[0],
                       run.in[1], run.in[2]);
  }

  void backward(Run& run) const override {
    const bool parameters = run.wants(1) || run.wants(2);
    if (run.wants(0) && parameters)
      layer_norm_backward(run.stream, run.din[0], run.din[1], run.din[2], run.workspace,
                          run.dout[0], run.in[0], run.saved[0], run.saved[1], run.in[1]);
    else if (run.wants(0))
      layer_norm_dgrad(run.stream, run.din[0], run.dout[0], run.in[0], run.saved[0], run.saved[1],
                       run.in[1]);
    else if (parameters)
      layer_norm_wgrad(run.stream, run.din[1], run.din[2], run.workspace, run.dout[0], run.in[0],
                       run.saved[0], run.saved[1]);
  }

  double forward_flops(const Types& in, const Types&) const override {
    return 8.0 * static_cast<double>(in[0].shape.size());
  }

 private:
  LayerNorm norm_;
};

}  // namespace

Value layer_norm(Graph& g, Value x, Value gamma, Value beta, LayerNorm norm) {
  return g.one(std::make_shared<LayerNormOp>(norm), {x, gamma, beta});
}

}  // namespace framefold

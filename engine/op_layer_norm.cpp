#include "engine/ops.h"
#include "kernels/add.h"
#include "kernels/check.h"

namespace framefold {
namespace {

// Of x, gamma, beta to y; or of x, b, gamma, beta to sum, y.
class LayerNormOp final : public Op {
 public:
  LayerNormOp(LayerNorm norm, bool residual)
      : norm_(norm), residual_(residual), gamma_(residual ? 2 : 1), beta_(gamma_ + 1) {}

  std::string_view name() const override { return "layer_norm"; }

  Types infer(const Types& in) const override {
    const TensorType& x = in[0];
    expect_float(name(), "x", x.dtype);
    expect_rank(name(), "x", x.shape, 1, "[..., C]");
    if (x.shape[-1] == 0)
      fail(ErrorCode::shape, name(), ": x ", x.shape, " has a last axis without elements");
    if (residual_) expect(name(), "b", in[1], x, "as x");
    const TensorType parameter{master_of(x.dtype), {x.shape[-1]}};
    expect(name(), "gamma", in[gamma_], parameter, "to match the last axis of x");
    expect(name(), "beta", in[beta_], parameter, "to match the last axis of x");
    return residual_ ? Types{x, x} : Types{x};
  }

  Needs needs(const Stream& stream, const Types& in, const Types&) const override {
    const TensorType& x = in[0];
    const TensorType rows{master_of(x.dtype), {x.shape.size() / x.shape[-1]}};
    Needs need{.saved = {rows, rows},
               .reads_inputs = {0, 1},
               .differentiable = {0, 1, 2},
               .accumulates = {1, 2},
               .backward_workspace = layer_norm_wgrad_workspace(stream, x)};
    if (residual_) {
      need.reads_inputs = {2};
      need.reads_outputs = {0};
      need.differentiable = {0, 1, 2, 3};
      need.accumulates = {2, 3};
      need.in_place = need.gradient_in_place = true;
    }
    return need;
  }

  void forward(Run& run) const override {
    const Tensor sum = residual_ ? run.out[0] : Tensor{};
    const View b = residual_ ? run.in[1] : View{};
    layer_norm_forward(run.stream, norm_, run.out.back(), run.saved[0], run.saved[1], run.in[0],
                       run.in[gamma_], run.in[beta_], sum, b);
  }

  void backward(Run& run) const override {
    const View x = residual_ ? run.out[0] : run.in[0];
    const View dy = run.dout.back();
    const View dsum = residual_ ? run.dout[0] : View{};
    const Tensor dgamma = run.din[gamma_];
    const Tensor dbeta = run.din[beta_];
    Tensor dx = run.din[0];
    Tensor db = residual_ ? run.din[1] : Tensor{};
    if (!dx) std::swap(dx, db);
    if (!dy) {
      if (dx) add_dgrad(run.stream, dx, dsum);
      if (db) add_dgrad(run.stream, db, dsum);
    } else if (dx && (dgamma || dbeta)) {
      layer_norm_backward(run.stream, dx, dgamma, dbeta, run.workspace, dy, x, run.saved[0],
                          run.saved[1], run.in[gamma_], db, dsum);
    } else if (dx) {
      layer_norm_dgrad(run.stream, dx, dy, x, run.saved[0], run.saved[1], run.in[gamma_], db, dsum);
    } else if (dgamma || dbeta) {
      layer_norm_wgrad(run.stream, dgamma, dbeta, run.workspace, dy, x, run.saved[0], run.saved[1]);
    }
  }

  double forward_flops(const Types& in, const Types&) const override {
    return (residual_ ? 9.0 : 8.0) * static_cast<double>(in[0].shape.size());
  }

  OpPtr joined_to(const Op& before, const Types& in) const override {
    if (residual_ || before.name() != "add" || !(in[0] == in[1])) return nullptr;
    return std::make_shared<LayerNormOp>(norm_, true);
  }

 private:
  LayerNorm norm_;
  bool residual_;
  std::size_t gamma_, beta_;
};

}  // namespace

Value layer_norm(Graph& g, Value x, Value gamma, Value beta, LayerNorm norm) {
  return g.one(std::make_shared<LayerNormOp>(norm, false), {x, gamma, beta});
}

NormalizedSum layer_norm_of_sum(Graph& g, Value x, Value b, Value gamma, Value beta,
                                LayerNorm norm) {
  const std::vector<Value> out =
      g.add(std::make_shared<LayerNormOp>(norm, true), {x, b, gamma, beta});
  return {out[0], out[1]};
}

}  // namespace framefold

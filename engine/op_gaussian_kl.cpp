#include "engine/ops.h"
#include "kernels/check.h"
#include "kernels/gaussian_kl.h"

namespace framefold {
namespace {

class GaussianKlOp final : public Op {
 public:
  explicit GaussianKlOp(LossReduction reduction) : reduction_(reduction) {}

  std::string_view name() const override { return "gaussian_kl"; }

  Types infer(const Types& in) const override {
    expect_float(name(), "mu", in[0].dtype);
    expect(name(), "logvar", in[1], in[0], "as mu");
    return {{master_of(in[0].dtype), {1}}};
  }

  Needs needs(const Stream&, const Types& in, const Types&) const override {
    return {.reads_inputs = {0, 1},
            .differentiable = {0, 1},
            .forward_workspace = gaussian_kl_workspace(in[0])};
  }

  void forward(Run& run) const override {
    gaussian_kl_forward(run.stream, reduction_, run.out[0], run.workspace, run.in[0], run.in[1]);
  }

  void backward(Run& run) const override {
    gaussian_kl_dgrad(run.stream, reduction_, run.din[0], run.din[1], run.dout[0], run.in[0],
                      run.in[1]);
  }

  double forward_flops(const Types& in, const Types&) const override {
    return 25.0 * static_cast<double>(in[0].shape.size());
  }

 private:
  LossReduction reduction_;
};

}  // namespace

Value gaussian_kl(Graph& g, Value mu, Value logvar, LossReduction reduction) {
  return g.one(std::make_shared<GaussianKlOp>(reduction), {mu, logvar});
}

}  // namespace framefold

#include "kernels/mean_pool3d.h"

#include "engine/ops.h"
#include "engine/pool3d_op.h"

namespace framefold {
namespace {

class MeanPool3dOp final : public Pool3dOp {
 public:
  using Pool3dOp::Pool3dOp;

  std::string_view name() const override { return "mean_pool3d"; }

  Needs needs(const Stream&, const Types&, const Types&) const override {
    return {.differentiable = {0}};
  }

  void forward(Run& run) const override {
    mean_pool3d_forward(run.stream, pool_, run.out[0], run.in[0]);
  }
  void backward(Run& run) const override {
    if (run.wants(0)) mean_pool3d_dgrad(run.stream, pool_, run.din[0], run.dout[0]);
  }
};

}  // namespace

Value mean_pool3d(Graph& g, Value x, const Pool3d& pool) {
  return g.one(std::make_shared<MeanPool3dOp>(pool), {x});
}

}  // namespace framefold

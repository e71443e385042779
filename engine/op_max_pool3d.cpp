#include "kernels/max_pool3d.h"

#include "engine/ops.h"

namespace framefold {
namespace {

class MaxPool3dOp final : public Op {
 public:
  explicit MaxPool3dOp(const Pool3d& pool) : pool_(pool) {}

  std::string_view name() const override { return "max_pool3d"; }

  Types infer(const Types& in) const override { return {pool3d_type(name(), pool_, in[0])}; }

  Needs needs(const Stream&, const Types&, const Types& out) const override {
    return {.saved = {{DType::i32, out[0].shape}}, .differentiable = {0}};
  }

  void forward(Run& run) const override {
    max_pool3d_forward(run.stream, pool_, run.out[0], run.saved[0], run.in[0]);
  }
  void backward(Run& run) const override {
    if (run.wants(0)) max_pool3d_dgrad(run.stream, pool_, run.din[0], run.dout[0], run.saved[0]);
  }

  double forward_flops(const Types&, const Types& out) const override {
    return pool3d_flops(pool_, out[0]);
  }
  double backward_flops(const Types&, const Types& out) const override {
    return pool3d_flops(pool_, out[0]);
  }

 private:
  Pool3d pool_;
};

}  // namespace

Value max_pool3d(Graph& g, Value x, const Pool3d& pool) {
  return g.one(std::make_shared<MaxPool3dOp>(pool), {x});
}

}  // namespace framefold

#include "kernels/max_pool3d.h"

#include <limits>

#include "engine/ops.h"
#include "engine/pool3d_op.h"

namespace framefold {
namespace {

class MaxPool3dOp final : public Pool3dOp {
 public:
  using Pool3dOp::Pool3dOp;

  std::string_view name() const override { return "max_pool3d"; }

  Types infer(const Types& in) const override {
    Types out = Pool3dOp::infer(in);
    const Shape& x = in[0].shape;
    if (x[1] * x[2] * x[3] > std::numeric_limits<std::int32_t>::max())
      fail(ErrorCode::shape, name(), ": x ", x, " has more positions a clip than an i32 counts");
    return out;
  }

  Needs needs(const Stream&, const Types&, const Types& out) const override {
    return {.saved = {{DType::i32, out[0].shape}}, .differentiable = {0}};
  }

  void forward(Run& run) const override {
    max_pool3d_forward(run.stream, pool_, run.out[0], run.saved[0], run.in[0]);
  }
  void backward(Run& run) const override {
    if (run.wants(0)) max_pool3d_dgrad(run.stream, pool_, run.din[0], run.dout[0], run.saved[0]);
  }
};

}  // namespace

Value max_pool3d(Graph& g, Value x, const Pool3d& pool) {
  return g.one(std::make_shared<MaxPool3dOp>(pool), {x});
}

}  // namespace framefold

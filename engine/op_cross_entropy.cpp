#include "engine/ops.h"
#include "kernels/check.h"
#include "kernels/cross_entropy.h"

namespace framefold {
namespace {

class CrossEntropyOp final : public Op {
 public:
  std::string_view name() const override { return "cross_entropy"; }

  Types infer(const Types& in) const override {
    const TensorType& x = in[0];
    expect_float(name(), "x", x.dtype);
    expect_rank(name(), "x", x.shape, 1, "[..., C]");
    if (x.shape.size() == 0)
      fail(ErrorCode::shape, name(), ": x is ", x, ", expected at least one row and one class");
    expect(name(), "the target", in[1], x, "as x");
    return {{master_of(x.dtype), {1}}};
  }

  Needs needs(const Stream& stream, const Types& in, const Types&) const override {
    const TensorType& x = in[0];
    return {.saved = {{master_of(x.dtype), {x.shape.size() / x.shape[-1]}}},
            .reads_inputs = {0, 1},
            .differentiable = {0},
            .forward_workspace = cross_entropy_workspace(stream, x)};
  }

  void forward(Run& run) const override {
    cross_entropy_forward(run.stream, run.out[0], run.saved[0], run.workspace, run.in[0],
                          run.in[1]);
  }

  void backward(Run& run) const override {
    if (run.wants(0))
      cross_entropy_dgrad(run.stream, run.din[0], run.dout[0], run.in[0], run.in[1], run.saved[0]);
  }

  double forward_flops(const Types& in, const Types&) const override {
    return 25.0 * static_cast<double>(in[0].shape.size());
  }
};

}  // namespace

Value cross_entropy(Graph& g, Value x, Value target) {
  return g.one(std::make_shared<CrossEntropyOp>(), {x, target});
}

}  // namespace framefold

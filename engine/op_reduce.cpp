#include <algorithm>

#include "engine/ops.h"
#include "kernels/check.h"

namespace framefold {
namespace {

class ReduceOp final : public Op {
 public:
  ReduceOp(Reduction kind, std::vector<int> axes) : kind_(kind), axes_(std::move(axes)) {}

  std::string_view name() const override { return "reduce"; }

  Types infer(const Types& in) const override {
    const TensorType& x = in[0];
    expect_float(name(), "x", x.dtype);
    if (axes_.empty() || std::adjacent_find(axes_.begin(), axes_.end()) != axes_.end())
      fail(ErrorCode::argument, name(), ": the axes (", listed(axes_), ") of x ", x.shape,
           ", expected at least one and none twice");
    TensorType y{x.dtype, {}};
    for (int axis = 0; axis < x.shape.rank(); ++axis)
      if (!std::binary_search(axes_.begin(), axes_.end(), axis)) y.shape.push_back(x.shape[axis]);
    return {y};
  }

  Needs needs(const Stream& stream, const Types& in, const Types&) const override {
    return {.differentiable = {0},
            .forward_workspace = reduce_forward_workspace(stream, in[0], axes_)};
  }

  void forward(Run& run) const override {
    reduce_forward(run.stream, kind_, run.out[0], run.workspace, run.in[0], axes_);
  }
  void backward(Run& run) const override {
    if (run.wants(0)) reduce_dgrad(run.stream, kind_, run.din[0], run.dout[0], axes_);
  }

  double forward_flops(const Types& in, const Types&) const override {
    return static_cast<double>(in[0].shape.size());
  }
  double backward_flops(const Types&, const Types& out) const override {
    return kind_ == Reduction::mean ? static_cast<double>(out[0].shape.size()) : 0;
  }

 private:
  Reduction kind_;
  std::vector<int> axes_;
};

}  // namespace

Value reduce(Graph& g, Value x, Reduction kind, std::vector<int> axes) {
  for (int& axis : axes) axis = expect_axis("reduce", g.shape(x), axis);
  if (axes.empty())
    for (int axis = 0; axis < g.shape(x).rank(); ++axis) axes.push_back(axis);
  std::sort(axes.begin(), axes.end());
  return g.one(std::make_shared<ReduceOp>(kind, std::move(axes)), {x});
}

}  // namespace framefold

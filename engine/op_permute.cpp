#include <utility>

#include "engine/ops.h"
#include "kernels/check.h"
#include "kernels/permute.h"

namespace framefold {
namespace {

class PermuteOp final : public Op {
 public:
  explicit PermuteOp(const std::vector<int>& axes) : axes_(axes) {}

  std::string_view name() const override { return "permute"; }

  Types infer(const Types& in) const override {
    const Shape& x = in[0].shape;
    TensorType y{in[0].dtype, {}};
    std::array<bool, Shape::max_rank> seen{};
    for (const int axis : axes_) {
      if (axis < 0 || axis >= x.rank() || std::exchange(seen[static_cast<std::size_t>(axis)], true))
        break;
      y.shape.push_back(x[axis]);
    }
    if (y.shape.rank() != x.rank() || static_cast<int>(axes_.size()) != x.rank())
      fail(ErrorCode::argument, name(), ": the order (", listed(axes_), ") of the axes of x ", x,
           " does not name each of 0 to ", x.rank() - 1, " once");
    return {y};
  }

  Needs needs(const Stream&, const Types& in, const Types&) const override {
    return {.differentiable = is_float(in[0].dtype) ? Operands{0} : Operands{},
            .alias_of = permute_is_alias(in[0].shape, axes_) ? 0 : -1};
  }

  void forward(Run& run) const override {
    permute_forward(run.stream, run.out[0], run.in[0], axes_);
  }
  void backward(Run& run) const override {
    if (run.wants(0)) permute_dgrad(run.stream, run.din[0], run.dout[0], axes_);
  }

  double forward_flops(const Types&, const Types&) const override { return 0; }

 private:
  std::vector<int> axes_;
};

}  // namespace

Value permute(Graph& g, Value x, const std::vector<int>& axes) {
  return g.one(std::make_shared<PermuteOp>(axes), {x});
}

}  // namespace framefold

#include "kernels/reshape.h"

#include "engine/ops.h"

namespace framefold {
namespace {

class ReshapeOp final : public Op {
 public:
  explicit ReshapeOp(const Shape& shape) : shape_(shape) {}

  std::string_view name() const override { return "reshape"; }

  Types infer(const Types& in) const override { return {reshaped(in[0], shape_)}; }

  Needs needs(const Stream&, const Types& in, const Types&) const override {
    return {.differentiable = is_float(in[0].dtype) ? Operands{0} : Operands{}, .alias_of = 0};
  }

  void forward(Run&) const override {}  // a view: never run
  void backward(Run&) const override {}

  double forward_flops(const Types&, const Types&) const override { return 0; }

 private:
  Shape shape_;
};

}  // namespace

Value reshape(Graph& g, Value x, const Shape& shape) {
  return g.one(std::make_shared<ReshapeOp>(shape), {x});
}

}  // namespace framefold

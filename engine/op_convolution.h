// The one operation behind conv3d and conv_transpose3d: inputs x, weight and, where `biased`, the
// bias. Kernels names the attributes and the six functions of its stem.
#pragma once

#include <algorithm>
#include <memory>

#include "engine/graph.h"
#include "kernels/check.h"
#include "kernels/convolution.h"
#include "kernels/epilogue.h"

namespace framefold {

template <class Kernels>
class ConvolutionOp final : public Op {
 public:
  using Attributes = typename Kernels::Attributes;

  ConvolutionOp(const Attributes& conv, bool biased) : conv_(conv), biased_(biased) {}

  std::string_view name() const override { return Kernels::name; }

  Types infer(const Types& in) const override {
    const TensorType y = Kernels::type(conv_, in[0], in[1]);
    if (biased_)
      expect(name(), "bias", in[2], {in[1].dtype, {y.shape[-1]}}, "to match the outputs");
    return {y};
  }

  Needs needs(const Stream& stream, const Types& in, const Types& out) const override {
    const Bytes dz = fused() ? Workspace::padded(out[0].bytes()) : 0;
    return {.reads_inputs = {0, 1},
            .reads_outputs = fused() ? Operands{0} : Operands{},
            .differentiable = Operands::first(biased_ ? 3 : 2),
            .accumulates = biased_ ? Operands{1, 2} : Operands{1},
            .forward_workspace = Kernels::forward_workspace(stream, conv_, in[0], in[1]),
            .backward_workspace =
                dz + std::max({epilogue_backward_workspace(stream, out[0]),
                               Kernels::dgrad_workspace(stream, conv_, in[0], in[1]),
                               Kernels::wgrad_workspace(stream, conv_, in[0], in[1])})};
  }

  void forward(Run& run) const override {
    Kernels::forward(run.stream, conv_, run.out[0], run.workspace, run.in[0], run.in[1],
                     biased_ ? View(run.in[2]) : View{});
  }

  void backward(Run& run) const override {
    Tensor dz = run.dout[0];
    if (fused()) dz.data = run.workspace.take<std::byte>(static_cast<Index>(dz.bytes()));
    epilogue_backward(run.stream, conv_.activation, fused() ? dz : Tensor{},
                      biased_ ? run.din[2] : Tensor{}, run.workspace, run.dout[0], run.out[0]);
    if (run.wants(0)) Kernels::dgrad(run.stream, conv_, run.din[0], run.workspace, dz, run.in[1]);
    if (run.wants(1)) Kernels::wgrad(run.stream, conv_, run.din[1], run.workspace, dz, run.in[0]);
  }

  // Every tap of every position on the coarse side, padding included.
  double forward_flops(const Types& in, const Types& out) const override {
    const Shape& weight = in[1].shape;
    const Shape& coarse = (Kernels::coarse_is_input ? in[0] : out[0]).shape;
    const Index positions = coarse.size() / coarse[-1];
    return 2.0 * static_cast<double>(weight.size()) * static_cast<double>(positions);
  }

  std::optional<std::string> vendor_attributes(const Stream& stream,
                                               const Types& in) const override {
    if (!Kernels::has_vendor(stream, conv_, in[0], in[1])) return std::nullopt;
    return text("stride ", shape_of(conv_.stride), ", padding ", shape_of(conv_.padding),
                ", dilation ", shape_of(conv_.dilation), ", groups ", conv_.groups, ", activation ",
                static_cast<int>(conv_.activation.kind), ' ', conv_.activation.slope);
  }

 private:
  bool fused() const { return conv_.activation.kind != Activation::none; }

  Attributes conv_;
  bool biased_;
};

template <class Kernels>
Value add_convolution(Graph& g, Value x, Value weight, Value bias,
                      const typename Kernels::Attributes& conv) {
  const auto op = std::make_shared<ConvolutionOp<Kernels>>(conv, static_cast<bool>(bias));
  return bias ? g.one(op, {x, weight, bias}) : g.one(op, {x, weight});
}

}  // namespace framefold

#include <algorithm>

#include "engine/ops.h"
#include "kernels/check.h"
#include "kernels/epilogue.h"

namespace framefold {
namespace {

// Inputs a, b and, where `biased`, the bias. A weight is a parameter, else b is an activation.
class MatMulOp final : public Op {
 public:
  MatMulOp(MatMul matmul, bool weight, bool biased)
      : matmul_(matmul), weight_(weight), biased_(biased) {}

  std::string_view name() const override { return "matmul"; }

  Types infer(const Types& in) const override {
    if (weight_) {
      expect_rank("linear", "x", in[0].shape, 1, "[..., K]");
      const Index k = in[0].shape[-1];
      if (in[1].shape.rank() != 2 || in[1].shape[0] != k)
        fail(ErrorCode::shape, "linear: weight is ", in[1], ", expected [", k,
             ", N] to match the last axis of x ", in[0]);
    }
    const TensorType c = matmul_type(weight_ ? "linear" : "matmul", matmul_, rows(in[0]), in[1]);
    if (biased_)
      expect("linear", "bias", in[2], {in[1].dtype, {c.shape[-1]}},
             "to match the last axis of the weight");
    TensorType out = weight_ ? in[0] : c;
    out.shape[-1] = c.shape[-1];
    return {out};
  }

  Needs needs(const Stream& stream, const Types& in, const Types& out) const override {
    const TensorType a = rows(in[0]);
    const bool fused = matmul_.activation.kind != Activation::none;
    const auto gradient_workspace = weight_ ? matmul_wgrad_workspace : matmul_dgrad_b_workspace;
    const Bytes dz = fused ? Workspace::padded(out[0].bytes()) : 0;
    return {
        .reads_inputs = {0, 1},
        .reads_outputs = fused ? Operands{0} : Operands{},
        .differentiable = Operands::first(biased_ ? 3 : 2),
        .accumulates = !weight_  ? Operands{}
                       : biased_ ? Operands{1, 2}
                                 : Operands{1},
        .forward_workspace = matmul_forward_workspace(stream, matmul_, a, in[1], biased_),
        .backward_workspace = dz + std::max({epilogue_backward_workspace(stream, out[0]),
                                             matmul_dgrad_a_workspace(stream, matmul_, a, in[1]),
                                             gradient_workspace(stream, matmul_, a, in[1])})};
  }

  void forward(Run& run) const override {
    matmul_forward(run.stream, matmul_, run.out[0], run.workspace, rows(run.in[0]), run.in[1],
                   biased_ ? View(run.in[2]) : View{});
  }

  void backward(Run& run) const override {
    const bool fused = matmul_.activation.kind != Activation::none;
    const Tensor dbias = biased_ ? run.din[2] : Tensor{};
    Tensor dz = run.dout[0];
    if (fused) dz.data = run.workspace.take<std::byte>(static_cast<Index>(dz.bytes()));
    epilogue_backward(run.stream, matmul_.activation, fused ? dz : Tensor{}, dbias, run.workspace,
                      run.dout[0], run.out[0]);
    if (run.wants(0)) {
      Tensor da = run.din[0];
      da.shape = rows(da.type()).shape;
      matmul_dgrad_a(run.stream, matmul_, da, run.workspace, dz, run.in[1]);
    }
    if (!run.wants(1)) return;
    const auto gradient = weight_ ? matmul_wgrad : matmul_dgrad_b;
    gradient(run.stream, matmul_, run.din[1], run.workspace, dz, rows(run.in[0]));
  }

  double forward_flops(const Types& in, const Types& out) const override {
    const Index k = in[0].shape[matmul_.transpose_a ? -2 : -1];
    return 2.0 * static_cast<double>(out[0].shape.size()) * static_cast<double>(k);
  }

  std::optional<std::string> vendor_attributes(const Stream& stream,
                                               const Types& in) const override {
    if (!matmul_has_vendor(stream, matmul_, rows(in[0]), in[1], biased_)) return std::nullopt;
    return text(matmul_.transpose_a ? "transposed " : "", "by ",
                matmul_.transpose_b ? "transposed " : "", weight_ ? "weight" : "activation",
                ", activation ", static_cast<int>(matmul_.activation.kind), ' ',
                matmul_.activation.slope);
  }

 private:
  // A linear's x with all leading axes as rows, whatever their number.
  TensorType rows(const TensorType& x) const {
    if (!weight_) return x;
    Index count = 1;
    for (int axis = 0; axis + 1 < x.shape.rank(); ++axis) count *= x.shape[axis];
    return {x.dtype, {count, x.shape[-1]}};
  }
  View rows(View x) const { return {x.data, x.dtype, rows(x.type()).shape}; }

  MatMul matmul_;
  bool weight_;
  bool biased_;
};

}  // namespace

Value matmul(Graph& g, Value a, Value b, MatMul matmul) {
  return g.one(std::make_shared<MatMulOp>(matmul, false, false), {a, b});
}

Value linear(Graph& g, Value x, Value weight, Value bias, Activation activation) {
  const auto op =
      std::make_shared<MatMulOp>(MatMul{.activation = activation}, true, static_cast<bool>(bias));
  return bias ? g.one(op, {x, weight, bias}) : g.one(op, {x, weight});
}

}  // namespace framefold

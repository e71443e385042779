#include "kernels/attention.h"

#include "engine/ops.h"
#include "kernels/check.h"

namespace framefold {
namespace {

class AttentionOp final : public Op {
 public:
  explicit AttentionOp(const Attention& attention) : attention_(attention) {}

  std::string_view name() const override { return "attention"; }

  Types infer(const Types& in) const override {
    const TensorType& qkv = in[0];
    expect_float(name(), "qkv", qkv.dtype);
    if (attention_.heads < 1)
      fail(ErrorCode::argument, name(), ": heads is ", attention_.heads, ", expected at least 1");
    if (qkv.shape.rank() != 3 || qkv.shape.size() == 0 || qkv.shape[2] % (3 * attention_.heads))
      fail(ErrorCode::shape, name(), ": qkv is ", qkv,
           ", expected [B, N, 3 H d] with H = ", attention_.heads, " heads");
    if (in.size() > 1)
      expect(name(), "lengths", in[1], {DType::i32, {qkv.shape[0]}}, "to match the samples of qkv");
    return {{qkv.dtype, {qkv.shape[0], qkv.shape[1], qkv.shape[2] / 3}}};
  }

  Needs needs(const Stream& stream, const Types& in, const Types&) const override {
    const Shape& qkv = in[0].shape;
    const bool lengths = in.size() > 1;
    return {.saved = {{master_of(in[0].dtype), {qkv[0], attention_.heads, qkv[1]}}},
            .reads_inputs = lengths ? Operands{0, 1} : Operands{0},
            .reads_outputs = {0},
            .differentiable = {0},
            .forward_workspace = attention_forward_workspace(stream, attention_, in[0], lengths),
            .backward_workspace = attention_dgrad_workspace(stream, attention_, in[0], lengths)};
  }

  void forward(Run& run) const override {
    attention_forward(run.stream, attention_, run.out[0], run.saved[0], run.workspace, run.in[0],
                      lengths(run));
  }

  void backward(Run& run) const override {
    if (run.wants(0))
      attention_dgrad(run.stream, attention_, run.din[0], run.workspace, run.dout[0], run.in[0],
                      run.out[0], run.saved[0], lengths(run));
  }

  double forward_flops(const Types& in, const Types&) const override {
    const Shape& qkv = in[0].shape;
    const double flops = 4.0 / 3.0 * static_cast<double>(qkv.size()) * static_cast<double>(qkv[1]);
    return attention_.causal ? flops / 2 : flops;
  }
  double backward_flops(const Types& in, const Types& out) const override {
    return 2.5 * forward_flops(in, out);
  }

  std::optional<std::string> vendor_attributes(const Stream& stream,
                                               const Types& in) const override {
    if (!attention_has_vendor(stream, attention_, in[0], in.size() > 1)) return std::nullopt;
    return text("heads ", attention_.heads, attention_.causal ? ", causal" : "", ", scale ",
                attention_.scale);
  }

 private:
  static View lengths(const Run& run) { return run.in.size() > 1 ? View(run.in[1]) : View(); }

  Attention attention_;
};

}  // namespace

Value attention(Graph& g, Value qkv, const Attention& attention, Value lengths) {
  std::vector<Value> in{qkv};
  if (lengths) in.push_back(lengths);
  return g.one(std::make_shared<AttentionOp>(attention), in);
}

}  // namespace framefold

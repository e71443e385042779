#include "engine/ops.h"
#include "kernels/check.h"

namespace framefold {
namespace {

class TubeMaskOp final : public Op {
 public:
  TubeMaskOp(Index batch, const TubeMask& mask) : batch_(batch), mask_(mask) {}

  std::string_view name() const override { return "tube_mask"; }

  Types infer(const Types& in) const override {
    for (const Index extent : mask_.grid)
      if (extent < 1)
        fail(ErrorCode::argument, name(), ": the grid is ",
             Shape(mask_.grid.begin(), mask_.grid.end()), ", expected [T, H, W], none of them 0");
    if (!(mask_.ratio >= 0 && mask_.ratio < 1))
      fail(ErrorCode::argument, name(), ": ratio is ", mask_.ratio,
           ", expected at least 0 and below 1");
    if (!in.empty()) expect(name(), "samples", in[0], {DType::i32, {batch_}}, "to match the batch");
    return {{DType::i32, {batch_, mask_.visible()}}, {DType::i32, {batch_, mask_.masked()}}};
  }

  Needs needs(const Stream& stream, const Types&, const Types&) const override {
    return {.forward_workspace = tube_mask_workspace(stream, mask_, batch_)};
  }

  void forward(Run& run) const override {
    tube_mask(run.stream, mask_, run.random, run.out[0], run.out[1], run.workspace,
              run.in.empty() ? View() : View(run.in[0]));
  }
  void backward(Run&) const override {}

  double forward_flops(const Types&, const Types&) const override { return 0; }

 private:
  Index batch_;
  TubeMask mask_;
};

}  // namespace

MaskedTokens tube_mask(Graph& g, Index batch, const TubeMask& mask, Value samples) {
  const auto out = g.add(std::make_shared<TubeMaskOp>(batch, mask),
                         samples ? std::vector<Value>{samples} : std::vector<Value>{});
  return {out[0], out[1]};
}

}  // namespace framefold

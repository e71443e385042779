#include "kernels/tubelet_mse.h"

#include "engine/ops.h"
#include "kernels/pixels.h"
#include "kernels/tubelets.h"

namespace framefold {
namespace {

class TubeletMseOp final : public Op {
 public:
  explicit TubeletMseOp(const TubeletMse& mse) : mse_(mse) {}

  std::string_view name() const override { return "tubelet_mse"; }

  Types infer(const Types& in) const override {
    const TensorType& x = in[0];
    expect_float(name(), "x", x.dtype);
    const TubeletGrid grid = expect_tubelets(name(), in[1], mse_.tubelet);
    const Index batch = in[1].shape[0];
    if (in.size() > 2) expect_tokens(name(), in[2], batch);
    if (grid.channels > Pixels::max_channels)
      fail(ErrorCode::shape, name(), ": clip is ", in[1], ", expected at most ",
           Pixels::max_channels, " channels");
    if (mse_.normalize && grid.features() < 2 * grid.channels)
      fail(ErrorCode::argument, name(), ": tubelets of one pixel can't be normalised");
    if (grid.lines() * (grid.line() / 240 + 1) >= 1 << 15)
      fail(ErrorCode::argument, name(), ": tubelets ",
           Shape(mse_.tubelet.begin(), mse_.tubelet.end()), " are too large for sums in 32 bits");
    const Index count = in.size() > 2 ? in[2].shape[1] : grid.tokens();
    expect(
        name(), "x", x, {x.dtype, {batch, count, grid.features()}},
        in.size() > 2 ? "to match index and the clip's tubelets" : "to match the clip's tubelets");
    return {{master_of(x.dtype), {1}}};
  }

  Needs needs(const Stream&, const Types& in, const Types&) const override {
    const Shape& x = in[0].shape;
    return {.saved = {{master_of(in[0].dtype), {x[0], x[1], 2, in[1].shape[4]}}},
            .reads_inputs = Operands::first(static_cast<int>(in.size())),
            .differentiable = {0},
            .forward_workspace = tubelet_mse_workspace(in[0])};
  }

  void forward(Run& run) const override {
    tubelet_mse_forward(run.stream, mse_, run.out[0], run.saved[0], run.workspace, run.in[0],
                        run.in[1], index(run));
  }
  void backward(Run& run) const override {
    if (run.wants(0))
      tubelet_mse_dgrad(run.stream, mse_, run.din[0], run.dout[0], run.in[0], run.in[1], index(run),
                        run.saved[0]);
  }

  double forward_flops(const Types& in, const Types&) const override {
    return 8.0 * static_cast<double>(in[0].shape.size());
  }
  double backward_flops(const Types& in, const Types&) const override {
    return 4.0 * static_cast<double>(in[0].shape.size());
  }

 private:
  static View index(const Run& run) { return run.in.size() > 2 ? View(run.in[2]) : View(); }

  TubeletMse mse_;
};

}  // namespace

Value tubelet_mse(Graph& g, Value x, Value clip, Value index, const TubeletMse& mse) {
  std::vector<Value> in{x, clip};
  if (index) in.push_back(index);
  return g.one(std::make_shared<TubeletMseOp>(mse), in);
}

}  // namespace framefold

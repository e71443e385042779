#include "kernels/fold_tubelets.h"

#include "engine/ops.h"
#include "kernels/pixels.h"
#include "kernels/tubelets.h"

namespace framefold {
namespace {

// Inputs: clip, index and, where something is predicted, x.
class FoldTubeletsOp final : public Op {
 public:
  explicit FoldTubeletsOp(const TubeletMse& target) : target_(target) {}

  std::string_view name() const override { return "fold_tubelets"; }

  Types infer(const Types& in) const override {
    const TubeletGrid grid = expect_tubelets(name(), in[0], target_.tubelet);
    if (grid.channels > Pixels::max_channels)
      fail(ErrorCode::shape, name(), ": clip is ", in[0], ", expected at most ",
           Pixels::max_channels, " channels");
    expect_tokens(name(), in[1], in[0].shape[0]);
    if (in.size() == 2) return {{DType::f32, in[0].shape}};
    expect_float(name(), "x", in[2].dtype);
    const Shape& index = in[1].shape;
    expect(name(), "x", in[2], {in[2].dtype, {index[0], index[1], grid.features()}},
           "to match the clip's tubelets");
    return {{master_of(in[2].dtype), in[0].shape}};
  }

  Needs needs(const Stream&, const Types&, const Types&) const override { return {}; }

  void forward(Run& run) const override {
    fold_tubelets(run.stream, target_, run.out[0], run.in.size() > 2 ? View(run.in[2]) : View(),
                  run.in[0], run.in[1]);
  }
  void backward(Run&) const override {}

  double forward_flops(const Types&, const Types& out) const override {
    return static_cast<double>(out[0].shape.size());
  }

 private:
  TubeletMse target_;
};

}  // namespace

Value fold_tubelets(Graph& g, Value x, Value clip, Value index, const TubeletMse& target) {
  std::vector<Value> in{clip, index};
  if (x) in.push_back(x);
  return g.one(std::make_shared<FoldTubeletsOp>(target), in);
}

}  // namespace framefold

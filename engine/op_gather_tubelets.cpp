#include "kernels/gather_tubelets.h"

#include "engine/ops.h"
#include "kernels/pixel_lines.h"
#include "kernels/tubelets.h"

namespace framefold {
namespace {

class GatherTubeletsOp final : public Op {
 public:
  GatherTubeletsOp(const Extents& tubelet, Pixels pixels, DType type)
      : tubelet_(tubelet), pixels_(std::move(pixels)), type_(type) {}

  std::string_view name() const override { return "gather_tubelets"; }

  Types infer(const Types& in) const override {
    expect_float(name(), "y", type_);
    const TubeletGrid grid = expect_tubelets(name(), in[0], tubelet_);
    expect_pixels(name(), "clip", pixels_, grid.channels);
    const Index batch = in[0].shape[0];
    if (in.size() > 1) expect_tokens(name(), in[1], batch);
    return {{type_, {batch, in.size() > 1 ? in[1].shape[1] : grid.tokens(), grid.features()}}};
  }

  Needs needs(const Stream&, const Types&, const Types&) const override { return {}; }

  void forward(Run& run) const override {
    gather_tubelets(run.stream, tubelet_, pixels_, run.out[0], run.in[0],
                    run.in.size() > 1 ? View(run.in[1]) : View());
  }
  void backward(Run&) const override {}

  double forward_flops(const Types&, const Types& out) const override {
    return 2.0 * static_cast<double>(out[0].shape.size());
  }

 private:
  Extents tubelet_;
  Pixels pixels_;
  DType type_;
};

}  // namespace

Value gather_tubelets(Graph& g, Value clip, Value index, const Extents& tubelet, Pixels pixels,
                      DType type) {
  std::vector<Value> in{clip};
  if (index) in.push_back(index);
  return g.one(std::make_shared<GatherTubeletsOp>(tubelet, std::move(pixels), type), in);
}

}  // namespace framefold

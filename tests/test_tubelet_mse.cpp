#include "kernels/tubelet_mse.h"

#include <cmath>

#include "engine/ops.h"
#include "tests/arrays.h"
#include "tests/op_cases.h"

namespace framefold::test {

// One and several channels, lines beyond one piece, all and some tubelets, normalised and not; more
// tubelets than one thread's share.
OP_CASES(tubelet_mse) {
  const auto compare = [&](const Shape& clip, const Extents& tubelet, Index picks, bool normalize) {
    const Index tokens = clip[1] / tubelet[0] * (clip[2] / tubelet[1]) * (clip[3] / tubelet[2]);
    const Index features = tubelet[0] * tubelet[1] * tubelet[2] * clip[4];
    OpCase value{.in = {{clip[0], picks > 0 ? picks : tokens, features}, {DType::u8, clip}},
                 .build =
                     [=](Graph& g, const std::vector<Value>& v) {
                       tubelet_mse(g, v[0], v[1], v.size() > 2 ? v[2] : Value{},
                                   {.tubelet = tubelet, .normalize = normalize});
                     },
                 .fill =
                     [=](int input, Index i, Random random) {
                       const auto at = static_cast<std::uint64_t>(i);
                       if (input == 0) return static_cast<double>(random.normal(at));
                       return static_cast<double>(random.below(
                           at, input == 2 ? static_cast<std::uint32_t>(tokens) : 256U));
                     }};
    if (picks > 0) value.in.emplace_back(DType::i32, Shape{clip[0], picks});
    add(std::move(value));
  };
  for (const bool normalize : {false, true}) {
    compare({1, 1, 1, 2, 1}, {1, 1, 2}, 0, normalize);
    compare({2, 4, 6, 8, 3}, {2, 3, 4}, 0, normalize);
    compare({2, 4, 6, 8, 3}, {2, 3, 4}, 5, normalize);
    compare({1, 2, 2, 200, 3}, {1, 2, 100}, 3, normalize);
    compare({2, 4, 32, 32, 3}, {2, 16, 16}, 7, normalize);
  }
}

namespace {

struct Outcome {
  float y;
  std::vector<float> dx;
};

Outcome run(const Stream& stream, const TubeletMse& mse, const Array<>& x, View clip, View index) {
  Array<> y{{1}};
  Array<> dx{x.shape};
  Array<> scales{{x.shape[0], x.shape[1], 2, clip.shape[4]}};
  std::vector<double> space(tubelet_mse_workspace(View(x).type()) / sizeof(double));
  tubelet_mse_forward(stream, mse, y, scales, {space.data(), 8 * space.size()}, x, clip, index);
  tubelet_mse_dgrad(stream, mse, dx, Array<>{{1}, {3}}, x, clip, index, scales);
  return {y.values[0], dx.values};
}

TEST(TubeletMse, HandComputed) {
  // Tubelets of one line of two pixels, two channels. Of token 1: 0 and 255, 7 and 7.
  const Array<std::uint8_t> clip{{1, 1, 2, 2, 2}, {1, 2, 3, 4, 0, 7, 255, 7}};
  const Array<std::int32_t> index{{1, 1}, {1}};
  const Array<> x{{1, 1, 4}, {0, 1, 1, 0}};
  const float t = 0.5F / (std::sqrt(0.5F) + 1e-6F);  // mean 1/2, unbiased variance 1/2
  for (const Stream& stream : each_path()) {
    Outcome o = run(stream, {.tubelet = {1, 1, 2}}, x, clip, index);
    // Targets -t 0 t 0; a channel without variance is 0.
    EXPECT_FLOAT_EQ(o.y, (t * t + 1 + (1 - t) * (1 - t)) / 4);
    expect_near<float>(o.dx, {1.5F * t, 1.5F, 1.5F * (1 - t), 0}, 1e-6);
    o = run(stream, {.tubelet = {1, 1, 2}, .normalize = false}, x, clip, index);
    const float v = 7 / 255.F;
    EXPECT_FLOAT_EQ(o.y, ((1 - v) * (1 - v) + v * v) / 4);
    expect_near<float>(o.dx, {0, 1.5F * (1 - v), 0, -1.5F * v}, 1e-6);
  }
}

TEST(TubeletMse, ErrorsNameTheOperand) {
  Graph g;
  const Value clip = g.input("clip", {DType::u8, {2, 4, 6, 8, 3}});
  const Value x = g.input("x", {DType::f32, {2, 8, 71}});
  expect_error(ErrorCode::shape,
               "tubelet_mse: x is f32 [2, 8, 71], expected f32 [2, 8, 72] to match the clip's "
               "tubelets",
               [&] {
                 tubelet_mse(g, x, clip, {}, {.tubelet = {2, 3, 4}});
               });
  expect_error(ErrorCode::argument, "tubelet_mse: tubelets of one pixel can't be normalised", [&] {
    tubelet_mse(g, x, clip, {}, {.tubelet = {1, 1, 1}});
  });
}

}  // namespace
}  // namespace framefold::test

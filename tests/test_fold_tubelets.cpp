#include "kernels/fold_tubelets.h"

#include <cmath>

#include "engine/executor.h"
#include "engine/ops.h"
#include "tests/arrays.h"
#include "tests/op_cases.h"

namespace framefold::test {

// Grey and predictions, raw and normalised, lines beyond one piece, tokens in any order.
OP_CASES(fold_tubelets) {
  const auto fold = [&](const Shape& clip, const Extents& tubelet, Index picks, bool normalize,
                        bool grey) {
    const Index tokens = clip[1] / tubelet[0] * (clip[2] / tubelet[1]) * (clip[3] / tubelet[2]);
    const Index features = tubelet[0] * tubelet[1] * tubelet[2] * clip[4];
    OpCase value{.in = {{DType::u8, clip}, {DType::i32, {clip[0], picks}}},
                 .build =
                     [=](Graph& g, const std::vector<Value>& v) {
                       fold_tubelets(g, v.size() > 2 ? v[2] : Value{}, v[0], v[1],
                                     {.tubelet = tubelet, .normalize = normalize});
                     },
                 .fill =
                     [=](int input, Index i, Random random) {
                       const auto at = static_cast<std::uint64_t>(i);
                       if (input == 2) return static_cast<double>(random.normal(at));
                       if (input == 1) return static_cast<double>(tokens - 1 - i % picks);
                       return static_cast<double>(random.below(at, 256U));
                     }};
    if (!grey) value.in.emplace_back(Shape{clip[0], picks, features});
    add(std::move(value));
  };
  for (const bool normalize : {false, true}) {
    fold({1, 1, 1, 2, 1}, {1, 1, 2}, 1, normalize, false);
    fold({2, 4, 6, 8, 3}, {2, 3, 4}, 5, normalize, false);
    fold({1, 2, 2, 200, 3}, {1, 2, 100}, 2, normalize, false);
  }
  fold({2, 4, 6, 8, 3}, {2, 3, 4}, 5, false, true);
}

namespace {

TEST(FoldTubelets, HandComputed) {
  // Tubelets of two pixels, one channel; token 1 holds 0 and 255: mean 1/2, deviation sqrt(1/2).
  const Array<std::uint8_t> clip{{1, 1, 2, 2, 1}, {51, 102, 0, 255}};
  const Array<std::int32_t> index{{1, 1}, {1}};
  const Array<> x{{1, 1, 2}, {-1, 0.25F}};
  for (const Stream& stream : each_path()) {
    Array<> y{{1, 1, 2, 2, 1}};
    TubeletMse target{.tubelet = {1, 1, 2}, .normalize = false};
    fold_tubelets(stream, target, y, x, clip, index);
    expect_near<float>(y.values, {0.2F, 0.4F, -1, 0.25F}, 1e-6);
    target.normalize = true;
    fold_tubelets(stream, target, y, x, clip, index);
    expect_near<float>(y.values, {0.2F, 0.4F, 0.5F - std::sqrt(0.5F), 0.5F + std::sqrt(0.5F) / 4},
                       1e-5);
    fold_tubelets(stream, target, y, {}, clip, index);
    expect_near<float>(y.values, {0.2F, 0.4F, 0.5F, 0.5F}, 1e-6);
  }
}

TEST(FoldTubelets, ErrorsNameTheOperand) {
  Graph g;
  const Value clip = g.input("clip", {DType::u8, {2, 4, 6, 8, 3}});
  const Value index = g.input("index", {DType::i32, {2, 5}});
  const Value x = g.input("x", {DType::f32, {2, 5, 71}});
  expect_error(ErrorCode::shape,
               "fold_tubelets: x is f32 [2, 5, 71], expected f32 [2, 5, 72] to match the clip's "
               "tubelets",
               [&] {
                 fold_tubelets(g, x, clip, index, {.tubelet = {2, 3, 4}});
               });
}

}  // namespace
}  // namespace framefold::test

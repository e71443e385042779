#include "kernels/gather_tubelets.h"

#include "engine/ops.h"
#include "kernels/matmul.h"
#include "tests/arrays.h"
#include "tests/op_cases.h"

namespace framefold::test {

// One pixel, several channels with and without means, lines beyond one piece, all and few tubelets.
OP_CASES(gather_tubelets) {
  const auto cut = [&](const Shape& clip, const Extents& tubelet, const Pixels& pixels, Index picks,
                       DType type = DType::f32) {
    const Index tokens = clip[1] / tubelet[0] * (clip[2] / tubelet[1]) * (clip[3] / tubelet[2]);
    OpCase value{.in = {{DType::u8, clip}},
                 .build =
                     [=](Graph& g, const std::vector<Value>& v) {
                       gather_tubelets(g, v[0], v.size() > 1 ? v[1] : Value{}, tubelet, pixels,
                                       type);
                     },
                 .fill =
                     [=](int input, Index i, Random random) {
                       return static_cast<double>(
                           random.below(static_cast<std::uint64_t>(i),
                                        input == 1 ? static_cast<std::uint32_t>(tokens) : 256U));
                     }};
    if (type == DType::bf16) value.parity_tolerance = 0x1p-8;  // y is rounded to it
    value.bf16 = type != DType::bf16;
    if (picks > 0) value.in.emplace_back(DType::i32, Shape{clip[0], picks});
    add(std::move(value));
  };
  const Pixels colours{.mean = {0.485F, 0.456F, 0.406F}, .deviation = {0.229F, 0.224F, 0.225F}};
  cut({1, 1, 1, 1, 1}, {1, 1, 1}, {}, 0);
  cut({2, 4, 6, 8, 3}, {2, 3, 4}, colours, 0);
  cut({2, 4, 6, 8, 3}, {2, 3, 4}, colours, 5);
  cut({3, 2, 2, 200, 3}, {1, 2, 100}, colours, 3);
  cut({2, 4, 32, 32, 3}, {2, 16, 16}, colours, 7);
  cut({1, 2, 32, 16, 3}, {2, 16, 16}, colours, 0, DType::bf16);
  cut({2, 4, 6, 8, 3}, {2, 3, 4}, colours, 5, DType::bf16);
}

namespace {

TEST(GatherTubelets, HandComputed) {
  // Two frames of 2 x 4 pixels; the tubelet [2, 1, 2] of place (h, w) = (1, 0) is token 2.
  std::vector<std::uint8_t> pixels;
  for (const int base : {0, 100})
    for (int i = 0; i < 8; ++i) pixels.push_back(static_cast<std::uint8_t>(base + i));
  const Array<std::uint8_t> clip{{1, 2, 2, 4, 1}, pixels};
  const Array<std::int32_t> index{{1, 2}, {2, 1}};
  for (const Stream& stream : each_path()) {
    Array<> y{{1, 2, 4}};
    gather_tubelets(stream, {2, 1, 2}, {.mean = {0.2F}, .deviation = {1 / 255.F}}, y, clip, index);
    expect_near<float>(y.values, {-47, -46, 53, 54, -49, -48, 51, 52}, 1e-4);
    Array<> all{{1, 4, 4}};
    gather_tubelets(stream, {2, 1, 2}, {}, all, clip, {});
    expect_near<float>({all.values.begin() + 8, all.values.begin() + 12},
                       {4 / 255.F, 5 / 255.F, 104 / 255.F, 105 / 255.F}, 1e-7);
  }
}

// The order of features is the convolution's: its weight, flattened, embeds the tubelets.
TEST(GatherTubelets, EmbedLikeTheConvolution) {
  const Array<std::uint8_t> clip{{1, 4, 4, 6, 2}, [] {
                                   std::vector<std::uint8_t> values(192);
                                   for (std::size_t i = 0; i < values.size(); ++i)
                                     values[i] = static_cast<std::uint8_t>(i * 37 % 251);
                                   return values;
                                 }()};
  Array<> weight{{2, 2, 3, 2, 5}};
  for (std::size_t i = 0; i < weight.values.size(); ++i)
    weight.values[i] = static_cast<float>(i % 13) - 6;
  const Stream stream{.device = {}, .threads = 1, .path = Path::reference};
  Array<> x{clip.shape};
  pixels_forward(stream, {}, x, clip);
  const Conv3d conv{.stride = {2, 2, 3}};
  Array<> expected{{1, 2, 2, 2, 5}};
  conv3d_forward(stream, conv, expected, {}, x, weight, {});
  Array<> tubelets{{1, 8, 24}};
  gather_tubelets(stream, {2, 2, 3}, {}, tubelets, clip, {});
  Array<> y{{1, 8, 5}};
  product(stream, {.batch = 1, .m = 8, .n = 5, .k = 24}, y, {}, tubelets,
          View{weight.values.data(), DType::f32, {1, 24, 5}}, {});
  expect_near(y.values, expected.values, 1e-4);
}

TEST(GatherTubelets, ErrorsNameTheOperand) {
  Graph g;
  const Value clip = g.input("clip", {DType::u8, {2, 4, 6, 8, 3}});
  expect_error(ErrorCode::shape,
               "gather_tubelets: clip is u8 [2, 4, 6, 8, 3], expected whole tubelets [2, 4, 4] "
               "along T, H and W",
               [&] {
                 gather_tubelets(g, clip, {}, {2, 4, 4});
               });
  const Value index = g.input("index", {DType::i32, {3, 5}});
  expect_error(
      ErrorCode::shape,
      "gather_tubelets: index is i32 [3, 5], expected i32 [2, M] to match the samples of clip",
      [&] {
        gather_tubelets(g, clip, index, {2, 3, 4});
      });
  Array<> y{{1, 1, 1}};
  expect_error(
      ErrorCode::argument,
      "gather_tubelets: index[0, 0] is 4, expected a row of the grid of tubelets, 0 to 3", [&] {
        gather_tubelets({}, {1, 1, 1}, {}, y, Array<std::uint8_t>{{1, 1, 2, 2, 1}, {1, 2, 3, 4}},
                        Array<std::int32_t>{{1, 1}, {4}});
      });
}

}  // namespace
}  // namespace framefold::test

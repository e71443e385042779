#include "kernels/pixels.h"

#include <gtest/gtest.h>

#include "engine/ops.h"
#include "tests/arrays.h"
#include "tests/op_cases.h"

namespace framefold {

// A tail of every kind of line, with and without factors by channel.
OP_CASES(pixels) {
  const auto plain = [](Graph& g, const std::vector<Value>& v) { pixels(g, v[0]); };
  const auto normalised = [](Graph& g, const std::vector<Value>& v) {
    pixels(g, v[0], {.mean = {0.485F, 0.456F, 0.406F}, .deviation = {0.229F, 0.224F, 0.225F}});
  };
  for (const Index n : {1, 17, 256, 257}) add({.in = {{DType::u8, {n}}}, .build = plain});
  for (const Index n : {1, 84, 86, 13337}) add({.in = {{DType::u8, {n, 3}}}, .build = normalised});
  add({.in = {{DType::u8, {257, 3}}},
       .build = [](Graph& g, const std::vector<Value>& v) { pixels(g, v[0], {}, DType::bf16); },
       .parity_tolerance = 0x1p-8,  // y is rounded to bf16
       .bf16 = false});
}

namespace test {
namespace {

TEST(Pixels, HandComputed) {
  for (const Stream& stream : each_path()) {
    Array<std::uint8_t> x{{2, 2}, {0, 255, 51, 102}};
    Array<> y{{2, 2}};
    pixels_forward(stream, {}, y, x);
    expect_near<float>(y.values, {0, 1, 0.2F, 0.4F}, 1e-7);
    EXPECT_EQ(y.values[0], 0);
    EXPECT_EQ(y.values[1], 1);
    pixels_forward(stream, {.mean = {0.5F, 0.2F}, .deviation = {0.25F, 0.5F}}, y, x);
    expect_near<float>(y.values, {-2, 1.6F, -1.2F, 0.4F}, 1e-6);
    pixels_forward(stream, {.mean = {0.5F, 0}, .deviation = {}}, y, x);
    expect_near<float>(y.values, {-0.5F, 1, -0.3F, 0.4F}, 1e-6);
  }
}

TEST(Pixels, InBf16) {
  for (const Stream& stream : each_path()) {
    Array<std::uint8_t> x{{1, 3}, {0, 51, 255}};
    Array<bf16> y{{1, 3}, std::vector<bf16>(3)};
    pixels_forward(stream, {}, y, x);
    EXPECT_EQ(static_cast<float>(y.values[1]), static_cast<float>(bf16(0.2F)));
    EXPECT_EQ(static_cast<float>(y.values[2]), 1);
  }
}

TEST(Pixels, WrongOperandsAreNamed) {
  Graph g;
  const Value real = g.input("real", {DType::f32, {4, 3}});
  const Value clip = g.input("clip", {DType::u8, {4, 3}});
  expect_error(ErrorCode::shape,
               "pixels: x is f32 [4, 3], expected u8 [4, 3] as frames come from a decoder",
               [&] { pixels(g, real); });
  expect_error(ErrorCode::argument,
               "pixels: 2 numbers are given as mean, expected one for each of x's 3 channels (at "
               "most 16) or none",
               [&] {
                 pixels(g, clip, {.mean = {0.5F, 0.5F}, .deviation = {}});
               });
  expect_error(ErrorCode::argument, "pixels: a deviation is 0, expected above 0", [&] {
    pixels(g, clip, {.mean = {}, .deviation = {1, 0, 1}});
  });
}

}  // namespace
}  // namespace test
}  // namespace framefold

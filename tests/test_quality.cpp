#include "io/quality.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/ssim_values.h"
#include "tests/temporary.h"

namespace framefold {
namespace {

using Pixels = std::vector<std::uint8_t>;

// As scripts/fixtures/ssim makes them.
class Numbers {
 public:
  explicit Numbers(std::uint32_t seed) : state_(seed) {}
  int below(int bound) {
    state_ = (state_ * 1103515245U + 12345U) & 0x7fffffffU;
    return static_cast<int>(state_ >> 16) % bound;
  }

 private:
  std::uint32_t state_;
};

Pixels frame(int size, int channels) {
  Numbers numbers(5);
  Pixels pixels;
  for (int i = 0; i < size; ++i)
    pixels.push_back(static_cast<std::uint8_t>(i * 7 / channels % 150 + numbers.below(60)));
  return pixels;
}

Pixels disturbed(Pixels pixels, int noise) {
  Numbers numbers(77);
  for (std::uint8_t& pixel : pixels)
    pixel =
        static_cast<std::uint8_t>(std::clamp(pixel + numbers.below(2 * noise + 1) - noise, 0, 255));
  return pixels;
}

TEST(QualityOfFrames, IsThatOfScikitImage) {
  for (const test::SsimValue& value : test::ssim_values) {
    SCOPED_TRACE(text(value.height, " x ", value.width, " x ", value.channels));
    const Pixels x = frame(value.height * value.width * value.channels, value.channels);
    const Pixels y = disturbed(x, value.noise);
    const Shape shape{1, value.height, value.width, value.channels};
    const FrameQuality found =
        frame_quality({x.data(), DType::u8, shape}, {y.data(), DType::u8, shape})[0];
    EXPECT_NEAR(found.ssim, value.ssim, 1e-7);
    EXPECT_NEAR(found.psnr, value.psnr, 1e-5);
  }
}

// Flat frames have no variance: only their means are compared.
TEST(QualityOfFrames, ByHand) {
  const Shape shape{3, 12, 15, 1};
  const Index size = 12 * 15;
  Pixels original(static_cast<std::size_t>(3 * size), 51);  // 0.2
  std::vector<float> made(original.size());
  std::fill_n(made.begin(), size, 0.2F);
  std::fill_n(made.begin() + size, size, 0.6F);
  std::fill_n(made.begin() + 2 * size, size, 7.0F);  // counts as 1
  const auto frames =
      frame_quality({original.data(), DType::u8, shape}, {made.data(), DType::f32, shape});
  ASSERT_EQ(frames.size(), 3U);
  EXPECT_NEAR(frames[0].ssim, 1, 1e-6);
  EXPECT_EQ(frames[0].psnr, 100);
  EXPECT_NEAR(frames[1].mse, 0.16, 1e-6);
  EXPECT_NEAR(frames[1].psnr, 7.9588, 1e-4);
  EXPECT_NEAR(frames[1].ssim, (2 * 0.2 * 0.6 + 1e-4) / (0.2 * 0.2 + 0.6 * 0.6 + 1e-4), 1e-6);
  EXPECT_NEAR(frames[2].mse, 0.64, 1e-6);
  EXPECT_NEAR(frames[2].ssim, (2 * 0.2 + 1e-4) / (0.04 + 1 + 1e-4), 1e-6);
}

// One window, the smallest frame: a bright pixel in the middle against one in the corner, all sums
// by the definition in double.
TEST(QualityOfFrames, OneWindowByHand) {
  const Shape shape{1, 11, 11, 1};
  Pixels x(121, 0), y(121, 0);
  x[60] = 255;
  y[0] = 255;
  double total = 0;
  const auto weight = [](int row, int column) {
    return std::exp(-((row - 5) * (row - 5) + (column - 5) * (column - 5)) / 4.5);
  };
  for (int i = 0; i < 121; ++i) total += weight(i / 11, i % 11);
  const double mx = weight(5, 5) / total, my = weight(0, 0) / total;
  const double vx = mx - mx * mx, vy = my - my * my, vxy = -mx * my;
  const double expected =
      (2 * mx * my + 1e-4) * (2 * vxy + 9e-4) / ((mx * mx + my * my + 1e-4) * (vx + vy + 9e-4));
  const auto found = frame_quality({x.data(), DType::u8, shape}, {y.data(), DType::u8, shape});
  EXPECT_NEAR(found[0].ssim, expected, 1e-6);
  EXPECT_NEAR(found[0].mse, 2.0 / 121, 1e-8);
}

TEST(QualityOfFrames, SmallFramesHaveNoWindow) {
  const Pixels x(10 * 20, 9);
  const Shape shape{1, 10, 20, 1};
  const FrameQuality found =
      frame_quality({x.data(), DType::u8, shape}, {x.data(), DType::u8, shape})[0];
  EXPECT_TRUE(std::isnan(found.ssim));
  EXPECT_EQ(found.mse, 0);
}

TEST(QualityOfFrames, NotANumberIsBlack) {
  const Pixels x(2, 0);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> y = {nan, -3};
  const Shape shape{1, 1, 2, 1};
  EXPECT_EQ(frame_quality({x.data(), DType::u8, shape}, {y.data(), DType::f32, shape})[0].mse, 0);
}

TEST(QualityOfFrames, RefusesOtherShapes) {
  const Pixels x(8, 0);
  EXPECT_ERROR(ErrorCode::shape, "of one shape [T, H, W, C]",
               frame_quality({x.data(), DType::u8, {1, 2, 4, 1}}, {x.data(), DType::u8, {8}}));
}

}  // namespace
}  // namespace framefold

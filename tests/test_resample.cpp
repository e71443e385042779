#include "io/resample.h"

#include <gtest/gtest.h>

#include "kernels/error.h"
#include "tests/temporary.h"

namespace framefold {
namespace {

using Pixels = std::vector<std::uint8_t>;

Pixels resampled(const FrameFormat& format, const Pixels& picture, const Shape& shape) {
  Pixels pixels(format.bytes());
  resample(format, {picture.data(), DType::u8, shape}, pixels.data());
  return pixels;
}

TEST(Resample, KeepsWhatFits) {
  EXPECT_EQ(resampled({2, 3, 1}, {1, 2, 3, 4, 5, 6}, {2, 3, 1}), (Pixels{1, 2, 3, 4, 5, 6}));
}

TEST(Resample, AveragesAreas) {
  // 2 x 2 blocks.
  EXPECT_EQ(resampled({1, 2, 1}, {0, 10, 20, 30, 40, 50, 60, 71}, {2, 4, 1}), (Pixels{25, 45}));
  // 3 to 2: (a + b / 2) / 1.5 and (b / 2 + c) / 1.5 along each axis.
  EXPECT_EQ(resampled({2, 2, 1}, {0, 0, 0, 0, 90, 0, 0, 0, 0}, {3, 3, 1}),
            (Pixels{10, 10, 10, 10}));
  // Enlarged: 2 to 4 repeats.
  EXPECT_EQ(resampled({4, 4, 1}, {1, 2, 3, 4}, {2, 2, 1}),
            (Pixels{1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4}));
}

TEST(Resample, CropsAboutTheMiddle) {
  EXPECT_EQ(resampled({1, 1, 1}, {9, 50, 70}, {1, 3, 1}), (Pixels{50}));
  EXPECT_EQ(resampled({1, 1, 1}, {9, 50, 70, 99}, {4, 1, 1}), (Pixels{60}));  // half of each
  EXPECT_EQ(resampled({1, 2, 1}, {9, 9, 1, 2, 9, 9}, {3, 2, 1}), (Pixels{1, 2}));
}

TEST(Resample, ConvertsChannels) {
  EXPECT_EQ(resampled({1, 1, 3}, {7}, {1, 1, 1}), (Pixels{7, 7, 7}));
  EXPECT_EQ(resampled({1, 3, 1}, {255, 0, 0, 0, 255, 0, 0, 0, 255}, {1, 3, 3}),
            (Pixels{76, 150, 29}));
  EXPECT_EQ(resampled({1, 1, 1}, {255, 255, 255}, {1, 1, 3}), (Pixels{255}));
}

TEST(Resample, AnySizeStaysInRange) {
  for (const Index from : {1, 2, 7, 31})
    for (const Index to : {1, 3, 5, 64}) {
      const Pixels white(static_cast<std::size_t>(from * 13), 255);
      EXPECT_EQ(resampled({to, 11, 1}, white, {from, 13, 1}),
                Pixels(static_cast<std::size_t>(to * 11), 255));
    }
}

TEST(Resample, RefusesOtherShapes) {
  EXPECT_ERROR(ErrorCode::shape, "expected u8", resampled({1, 1, 1}, {1, 2}, {1, 1, 2}));
}

}  // namespace
}  // namespace framefold

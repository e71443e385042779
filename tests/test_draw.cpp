#include "io/draw.h"

#include <gtest/gtest.h>

#include <limits>

#include "tests/temporary.h"

namespace framefold {
namespace {

using Pixel = std::array<std::uint8_t, 3>;

Pixel pixel(const Picture& picture, Index x, Index y) {
  const std::uint8_t* at = picture.at(x, y);
  return picture.channels == 1 ? Pixel{at[0], at[0], at[0]} : Pixel{at[0], at[1], at[2]};
}

constexpr Pixel white{255, 255, 255};

TEST(Draw, FrameOfBytesAndFloats) {
  const std::vector<std::uint8_t> bytes{0, 1, 2, 3, 4, 5, 6, 7};
  const Picture second = frame_of({bytes.data(), DType::u8, {2, 2, 2, 1}}, 1);
  EXPECT_EQ(second.width, 2);
  EXPECT_EQ(second.height, 2);
  EXPECT_EQ(second.channels, 1);
  EXPECT_EQ(second.pixels, (std::vector<std::uint8_t>{4, 5, 6, 7}));

  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> floats{0.0F, 0.5F, 1.0F, -3.0F, 7.0F, nan};
  const Picture colour = frame_of({floats.data(), DType::f32, {1, 1, 2, 3}}, 0);
  EXPECT_EQ(colour.pixels, (std::vector<std::uint8_t>{0, 128, 255, 0, 255, 0}));
}

TEST(Draw, InfernoFollowsItsTable) {  // matplotlib's entries 0, 64, 128, 192, 255
  EXPECT_EQ(inferno(0.0F), (Colour{0, 0, 4}));
  EXPECT_EQ(inferno(1.0F), (Colour{252, 255, 164}));
  const std::array<Colour, 3> inner{{{87, 16, 110}, {188, 55, 84}, {249, 142, 9}}};
  for (std::size_t i = 0; i < inner.size(); ++i)
    for (std::size_t c = 0; c < 3; ++c)
      EXPECT_NEAR(inferno(static_cast<float>(i + 1) * 64 / 255)[c], inner[i][c], 1);
  EXPECT_EQ(inferno(-1.0F), inferno(0.0F));
  EXPECT_EQ(inferno(2.0F), inferno(1.0F));
  EXPECT_EQ(inferno(std::numeric_limits<float>::quiet_NaN()), inferno(0.0F));
}

TEST(Draw, ErrorIsTheMeanOverChannels) {
  const std::vector<float> original{0.2F, 0.2F, 0.2F, 1.0F, 1.0F, 1.0F};
  const std::vector<float> reconstruction{0.2F, 0.5F, 0.2F, 0.0F, 0.0F, 0.0F};
  const Picture error = error_of({original.data(), DType::f32, {1, 1, 2, 3}},
                                 {reconstruction.data(), DType::f32, {1, 1, 2, 3}}, 0);
  for (int c = 0; c < 3; ++c)  // 0.1 of the 0.5 where the map ends
    EXPECT_NEAR(error.at(0, 0)[c], inferno(0.2F)[static_cast<std::size_t>(c)], 1);
  EXPECT_EQ(pixel(error, 1, 0), inferno(1.0F));
}

TEST(Draw, UpscaleAndPaste) {
  Picture dots(2, 1, 1, 0);
  *dots.at(1, 0) = 200;
  const Picture large = upscale(dots, 3);
  EXPECT_EQ(large.width, 6);
  EXPECT_EQ(large.height, 3);
  EXPECT_EQ(*large.at(2, 2), 0);
  EXPECT_EQ(*large.at(3, 0), 200);

  Picture sheet(4, 3, 3, 255);
  paste(sheet, dots, 2, 1);
  EXPECT_EQ(pixel(sheet, 2, 1), (Pixel{0, 0, 0}));
  EXPECT_EQ(pixel(sheet, 3, 1), (Pixel{200, 200, 200}));
  EXPECT_EQ(pixel(sheet, 1, 1), white);
  EXPECT_EQ(pixel(sheet, 2, 2), white);
  EXPECT_ERROR(ErrorCode::argument, "2 x 1 x 1 at 3, 0 does not fit", paste(sheet, dots, 3, 0));
  EXPECT_ERROR(ErrorCode::argument, "does not fit", paste(sheet, dots, 0, -1));
  EXPECT_ERROR(ErrorCode::argument, "does not fit", paste(dots, Picture(1, 1, 3, 0), 0, 0));
}

TEST(Draw, Letters) {
  const Picture text = draw_text("T1", 1);
  EXPECT_EQ(text.width, 12);
  EXPECT_EQ(text.height, 8);
  std::string seen;
  for (Index y = 0; y < text.height; ++y) {
    for (Index x = 0; x < text.width; ++x) seen += *text.at(x, y) == 255 ? '.' : '#';
    seen += '\n';
  }
  EXPECT_EQ(seen,
            "#####...#...\n"
            "..#....##...\n"
            "..#.....#...\n"
            "..#.....#...\n"
            "..#.....#...\n"
            "..#.....#...\n"
            "..#....###..\n"
            "............\n");
  EXPECT_EQ(draw_text("\xff", 2), draw_text("?", 2));
}

// 4 pixels around and between, labels of 8 x 2 + 2, frames of 12 enlarged 8 times to 96.
TEST(Draw, StripHasItsRowsAndColumns) {
  std::vector<std::uint8_t> original(20 * 12 * 12), reconstruction(original.size(), 0);
  for (std::size_t i = 0; i < original.size(); ++i)
    original[i] = static_cast<std::uint8_t>(i / 144 * 10);  // frame t is 10 t
  const Shape shape{20, 12, 12, 1};
  const Picture strip =
      draw_strip({original.data(), DType::u8, shape}, {reconstruction.data(), DType::u8, shape});
  EXPECT_EQ(strip.width, 4 + 8 * (96 + 4));
  EXPECT_EQ(strip.height, 4 + 3 * (18 + 96 + 4));
  EXPECT_EQ(strip.channels, 3);
  const std::array<int, 8> frames{0, 2, 5, 8, 10, 13, 16, 19};
  for (Index column = 0; column < 8; ++column) {
    const auto grey = static_cast<std::uint8_t>(frames[static_cast<std::size_t>(column)] * 10);
    const Index x = 4 + column * 100, y = 4 + 18;
    EXPECT_EQ(pixel(strip, x, y), (Pixel{grey, grey, grey}));
    EXPECT_EQ(pixel(strip, x + 95, y + 95), (Pixel{grey, grey, grey}));
    EXPECT_EQ(pixel(strip, x + 96, y), white);
    EXPECT_EQ(pixel(strip, x, y + 118), (Pixel{0, 0, 0}));
    EXPECT_EQ(pixel(strip, x, y + 236), inferno(static_cast<float>(grey) / 255 / 0.5F));
  }
}

TEST(Draw, StripOfOneLargeColourFrame) {
  const std::vector<float> clip(200 * 120 * 3, 0.25F);
  const View view{clip.data(), DType::f32, {1, 120, 200, 3}};
  const Picture strip = draw_strip(view, view);
  EXPECT_EQ(strip.width, 4 + 28 * 12);  // the longest label is wider than the frame
  EXPECT_EQ(strip.height, 4 + 3 * (18 + 120 + 4));
  EXPECT_EQ(pixel(strip, 4, 4 + 18), (Pixel{64, 64, 64}));
  EXPECT_EQ(pixel(strip, 4, 4 + 18 + 2 * 142), inferno(0.0F));
}

TEST(Draw, AnimationHasAllFramesSideBySide) {
  std::vector<std::uint8_t> original(11 * 96 * 96), reconstruction(original.size(), 50);
  for (std::size_t i = 0; i < original.size(); ++i)
    original[i] = static_cast<std::uint8_t>(i / (96 * 96) * 10);
  const Shape shape{11, 96, 96, 1};
  const std::vector<Picture> pictures = draw_animation({original.data(), DType::u8, shape},
                                                       {reconstruction.data(), DType::u8, shape});
  ASSERT_EQ(pictures.size(), 11U);
  const Index panel = 4 + 96 + 4;
  for (std::size_t t = 0; t < pictures.size(); ++t) {
    const Picture& picture = pictures[t];
    EXPECT_EQ(picture.width, 3 * panel);
    EXPECT_EQ(picture.height, 4 + 10 + 96 + 4);
    const auto grey = static_cast<std::uint8_t>(t * 10);
    EXPECT_EQ(pixel(picture, 4, 14), (Pixel{grey, grey, grey}));
    EXPECT_EQ(pixel(picture, panel + 4, 14), (Pixel{50, 50, 50}));
  }
  EXPECT_EQ(pixel(pictures[5], 2 * panel + 4, 14), inferno(0.0F));
  EXPECT_NE(pixel(pictures[6], 2 * panel + 4, 14), inferno(0.0F));
}

TEST(Draw, RefusesWhatDoesNotFit) {
  const std::vector<float> clip(2 * 2 * 2 * 2, 0.0F);
  const View view{clip.data(), DType::f32, {2, 2, 2, 1}};
  EXPECT_ERROR(ErrorCode::shape, "f32 [2, 2, 2, 2], expected u8 or f32 [T, H, W, C]",
               draw_strip({clip.data(), DType::f32, {2, 2, 2, 2}}, view));
  EXPECT_ERROR(ErrorCode::shape, "the reconstruction to draw is bf16",
               draw_strip(view, {clip.data(), DType::bf16, {2, 2, 2, 1}}));
  EXPECT_ERROR(ErrorCode::shape, "its reconstruction f32 [1, 2, 2, 1]; expected equal shapes",
               draw_animation(view, {clip.data(), DType::f32, {1, 2, 2, 1}}));
  EXPECT_ERROR(ErrorCode::argument, "frame 2 of a clip f32 [2, 2, 2, 1] does not exist",
               frame_of(view, 2));
  EXPECT_ERROR(ErrorCode::argument, "frame -1", error_of(view, view, -1));
  EXPECT_ERROR(ErrorCode::shape, "[0, 2, 2, 1]",
               draw_animation({clip.data(), DType::f32, {0, 2, 2, 1}}, view));
}

}  // namespace
}  // namespace framefold

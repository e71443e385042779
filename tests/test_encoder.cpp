// Pictures written as MP4 and read back by our own decoder.
#include <gtest/gtest.h>

#include <cmath>

#include "io/codecs.h"
#include "io/draw.h"
#include "io/file.h"
#include "tests/codecs_test.h"
#include "tests/temporary.h"

namespace framefold {
namespace {

class Encoder : public NeedsCodecs {
 protected:
  // The frames of the pictures as MP4, [H, W, 3], of the written size.
  std::vector<std::vector<std::uint8_t>> again(const std::vector<Picture>& pictures, double rate,
                                               Index height, Index width) {
    path_ = (directory_ / "a.mp4").string();
    write_file(path_, codecs().mp4(pictures, rate));
    const auto reader = codecs().open(path_, {height, width, 3}, {});
    std::vector<std::vector<std::uint8_t>> frames;
    std::vector<std::uint8_t> frame(static_cast<std::size_t>(height * width * 3));
    while (reader->next(frame.data())) frames.push_back(frame);
    return frames;
  }
  const TemporaryDirectory directory_;
  std::string path_;
};

// Soft coloured waves that move, and a white square.
Picture wave(Index width, Index height, Index channels, int t) {
  Picture picture(width, height, channels, 255);
  for (Index y = 0; y < height; ++y)
    for (Index x = 0; x < width; ++x)
      for (Index c = 0; c < channels; ++c) {
        const double phase = static_cast<double>(x + t) / 9 + static_cast<double>(y * (c + 1)) / 23;
        picture.at(x, y)[c] = static_cast<std::uint8_t>(120 + 90 * std::sin(phase));
      }
  paste(picture, Picture(10, 10, 1, 255), 3 + t, 5);
  return picture;
}

double psnr(const Picture& written, const std::vector<std::uint8_t>& read, Index stride) {
  double sum = 0;
  for (Index y = 0; y < written.height; ++y)
    for (Index x = 0; x < written.width; ++x)
      for (Index c = 0; c < 3; ++c) {
        const std::uint8_t one = written.at(x, y)[written.channels == 1 ? 0 : c];
        const double error = one - read[static_cast<std::size_t>((y * stride + x) * 3 + c)];
        sum += error * error;
      }
  return 10 * std::log10(255.0 * 255 * static_cast<double>(3 * written.width * written.height) /
                         std::max(sum, 1e-9));
}

// Even, odd, grey, colour, one frame: all frames come back, in order, and look as they were.
TEST_F(Encoder, WhatIsWrittenIsRead) {
  struct Case {
    Index width, height, channels;
    int frames;
  };
  for (const Case& one :
       {Case{96, 64, 3, 20}, Case{97, 61, 3, 20}, Case{64, 48, 1, 9}, Case{31, 17, 3, 1}}) {
    SCOPED_TRACE(text(one.width, " x ", one.height, " x ", one.channels, ", ", one.frames));
    std::vector<Picture> pictures;
    for (int t = 0; t < one.frames; ++t)
      pictures.push_back(wave(one.width, one.height, one.channels, t));
    const Index width = one.width + one.width % 2, height = one.height + one.height % 2;
    const auto frames = again(pictures, 12.5, height, width);
    ASSERT_EQ(frames.size(), pictures.size());
    for (std::size_t t = 0; t < frames.size(); ++t)
      EXPECT_GT(psnr(pictures[t], frames[t], width), 33) << t;  // 36 and more; 4:2:0 loses most
    const VideoIndex index = codecs().scan(path_, {});
    EXPECT_EQ(index.width, width);
    EXPECT_EQ(index.height, height);
    EXPECT_EQ(index.pixel_aspect, 1);
    EXPECT_FALSE(index.variable_rate);
    if (one.frames > 1) {
      EXPECT_NEAR(index.rate, 12.5, 1e-3);
    }
  }
}

// Flat colours hold no detail: what is off is range, matrix or tags.
TEST_F(Encoder, ColoursStay) {
  const std::uint8_t colours[][3] = {{255, 0, 0},     {0, 255, 0},     {0, 0, 255},  {0, 0, 0},
                                     {255, 255, 255}, {128, 128, 128}, {30, 90, 200}};
  for (const auto& colour : colours) {
    Picture picture(32, 32, 3, 0);
    for (Index i = 0; i < 32 * 32; ++i) std::copy_n(colour, 3, picture.pixels.data() + 3 * i);
    const auto frames = again({picture, picture}, 25, 32, 32);
    ASSERT_EQ(frames.size(), 2U);
    for (std::size_t c = 0; c < 3; ++c)
      EXPECT_NEAR(frames[1][(16 * 32 + 16) * 3 + c], colour[c], 4) << c;
  }
}

TEST_F(Encoder, RatesAreKept) {
  const std::vector<Picture> pictures(30, wave(32, 32, 3, 0));
  for (const double rate : {8.0, 30000.0 / 1001, 23.873, 0.5, 240.0}) {
    again(pictures, rate, 32, 32);
    EXPECT_NEAR(codecs().scan(path_, {}).rate, rate, 1e-3 * rate);
  }
}

TEST_F(Encoder, TheSamePicturesGiveTheSameBytes) {
  const std::vector<Picture> pictures = {wave(40, 40, 3, 0), wave(40, 40, 3, 1)};
  EXPECT_EQ(codecs().mp4(pictures, 10), codecs().mp4(pictures, 10));
}

TEST_F(Encoder, RefusesWhatIsNoVideo) {
  const std::vector<Picture> mixed = {Picture(8, 8, 3, 0), Picture(8, 10, 3, 0)};
  EXPECT_ERROR(ErrorCode::argument, "8 x 10 x 3 after one of 8 x 8", codecs().mp4(mixed, 8));
  EXPECT_ERROR(ErrorCode::argument, "0 frames", codecs().mp4({}, 8));
  const std::vector<Picture> one = {Picture(8, 8, 3, 0)};
  EXPECT_ERROR(ErrorCode::argument, "at 0 a second", codecs().mp4(one, 0));
  EXPECT_ERROR(ErrorCode::argument, "at nan a second", codecs().mp4(one, std::nan("")));
}

}  // namespace
}  // namespace framefold

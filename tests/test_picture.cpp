#include "io/picture.h"

#include <gtest/gtest.h>
#include <webp/decode.h>
#include <webp/demux.h>
#include <zlib.h>

#include <memory>

#include "kernels/philox.h"
#include "tests/temporary.h"

namespace framefold {
namespace {

Picture noise(Index width, Index height, Index channels, std::uint64_t stream = 0) {
  Picture picture(width, height, channels, 0);
  const Random random{1, stream};
  for (std::size_t i = 0; i < picture.pixels.size(); ++i)
    picture.pixels[i] = static_cast<std::uint8_t>(random.below(i, 256));
  return picture;
}

Picture filled(Index width, Index height, std::array<std::uint8_t, 3> colour) {
  Picture picture(width, height, 3, 0);
  for (Index y = 0; y < height; ++y)
    for (Index x = 0; x < width; ++x) std::copy(colour.begin(), colour.end(), picture.at(x, y));
  return picture;
}

TEST(Png, RoundTrip) {
  for (const Index channels : {1, 3})
    for (const Index width : {1, 17, 64}) {
      const Picture picture = noise(width, 5, channels);
      EXPECT_EQ(decode_png(encode_png(picture)), picture);
      EXPECT_EQ(encode_png(picture), encode_png(picture));
    }
}

std::string chunk(const std::string& type, const std::string& data) {
  const auto word = [](std::size_t value) {
    std::string bytes;
    for (const int shift : {24, 16, 8, 0}) bytes += static_cast<char>(value >> shift & 255);
    return bytes;
  };
  const std::string body = type + data;
  const auto sum =
      ::crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<unsigned>(body.size()));
  return word(data.size()) + body + word(sum);
}

const std::string signature = "\x89PNG\r\n\x1a\n";

// 1 x 1 pixel of a type of colour and depth, made by hand.
std::string one_pixel(char depth, char colour, const std::string& row,
                      const std::string& more = "") {
  const std::string raw = '\0' + row;
  std::string packed(100, '\0');
  uLongf size = packed.size();
  ::compress(reinterpret_cast<Bytef*>(packed.data()), &size,
             reinterpret_cast<const Bytef*>(raw.data()), static_cast<uLong>(raw.size()));
  packed.resize(size);
  return signature +
         chunk("IHDR", std::string("\0\0\0\1\0\0\0\1", 8) + depth + colour + std::string(3, '\0')) +
         more + chunk("IDAT", packed) + chunk("IEND", "");
}

TEST(Png, OtherKinds) {
  using Pixel = std::vector<std::uint8_t>;
  EXPECT_EQ(decode_png(one_pixel(8, 0, "\x80")).pixels, Pixel{128});
  EXPECT_EQ(decode_png(one_pixel(1, 0, "\x80")).pixels, Pixel{255});
  EXPECT_EQ(decode_png(one_pixel(8, 2, "\1\2\3")).pixels, (Pixel{1, 2, 3}));
  EXPECT_EQ(decode_png(one_pixel(16, 2, std::string("\1\0\2\0\3\0", 6))).pixels, (Pixel{1, 2, 3}));
  EXPECT_EQ(decode_png(one_pixel(8, 3, std::string(1, '\0'), chunk("PLTE", "\4\5\6"))).pixels,
            (Pixel{4, 5, 6}));
  EXPECT_EQ(decode_png(one_pixel(8, 6, "\7\x08\x09\xff")).pixels, (Pixel{7, 8, 9}));
  EXPECT_EQ(decode_png(one_pixel(8, 6, std::string("\7\x08\x09\0", 4))).pixels, (Pixel{0, 0, 0}));
}

TEST(Png, Hostile) {
  const std::string good = encode_png(noise(20, 10, 3));
  EXPECT_ERROR(ErrorCode::format, "cannot be read", decode_png(""));
  EXPECT_ERROR(ErrorCode::format, "cannot be read", decode_png("GIF89a"));
  EXPECT_ERROR(ErrorCode::format, "20 x 10 pixels, expected at most 199", decode_png(good, 199));
  for (std::size_t kept = 0; kept + 20 < good.size(); kept += 7)
    EXPECT_ERROR(ErrorCode::format, "cannot be read", decode_png(good.substr(0, kept)));
  std::string bad = good;
  bad[bad.size() / 2] = static_cast<char>(bad[bad.size() / 2] ^ 1);
  EXPECT_ERROR(ErrorCode::format, "cannot be read", decode_png(bad));
  // 2^31 - 1 pixels a side in 33 bytes: refused before memory is taken.
  EXPECT_ERROR(
      ErrorCode::format, "PNG",
      decode_png(signature +
                 chunk("IHDR", std::string("\x7f\xff\xff\xff\x7f\xff\xff\xff\x8\x2\0\0\0", 13))));
}

TEST(Png, RefusesWhatIsNoPicture) {
  EXPECT_ERROR(ErrorCode::argument, "[0, 0, 3]", encode_png(Picture()));
  EXPECT_ERROR(ErrorCode::argument, "[2, 2, 2]", encode_png(Picture(2, 2, 2, 0)));
  Picture torn(2, 2, 3, 0);
  torn.pixels.pop_back();
  EXPECT_ERROR(ErrorCode::argument, "with 11 bytes", encode_png(torn));
}

TEST(WebP, DecodesBack) {
  const std::vector<Picture> pictures{filled(40, 24, {255, 0, 0}), filled(40, 24, {0, 255, 0}),
                                      filled(40, 24, {0, 0, 255}), Picture(40, 24, 1, 128)};
  const std::string bytes = encode_webp(pictures, 8);
  EXPECT_EQ(bytes, encode_webp(pictures, 8));

  const WebPData data{reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()};
  const std::unique_ptr<WebPAnimDecoder, decltype(&WebPAnimDecoderDelete)> decoder(
      WebPAnimDecoderNew(&data, nullptr), &WebPAnimDecoderDelete);
  ASSERT_NE(decoder, nullptr);
  WebPAnimInfo info;
  ASSERT_TRUE(WebPAnimDecoderGetInfo(decoder.get(), &info));
  EXPECT_EQ(info.frame_count, 4U);
  EXPECT_EQ(info.canvas_width, 40U);
  EXPECT_EQ(info.canvas_height, 24U);
  EXPECT_EQ(info.loop_count, 0U);
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    std::uint8_t* pixels = nullptr;
    int end = 0;
    ASSERT_TRUE(WebPAnimDecoderGetNext(decoder.get(), &pixels, &end));
    EXPECT_EQ(end, static_cast<int>(i + 1) * 125);
    for (Index channel = 0; channel < 3; ++channel)  // lossy
      EXPECT_NEAR(pixels[4 * (40 * 12 + 20) + channel],
                  pictures[i].at(20, 12)[pictures[i].channels == 3 ? channel : 0], 8);
  }
}

TEST(WebP, Refuses) {
  EXPECT_ERROR(ErrorCode::argument, "0 pictures", encode_webp({}, 8));
  EXPECT_ERROR(ErrorCode::argument, "at 0 frames", encode_webp({Picture(2, 2, 3, 0)}, 0));
  EXPECT_ERROR(ErrorCode::argument, "picture 1 of the animation is 3 x 2, expected 2 x 2",
               encode_webp({Picture(2, 2, 3, 0), Picture(3, 2, 3, 0)}, 8));
  EXPECT_ERROR(ErrorCode::argument, "[0, 0, 3]", encode_webp({Picture()}, 8));
  EXPECT_ERROR(ErrorCode::argument, "too large for WebP",
               encode_webp({Picture(20000, 1, 3, 0)}, 8));
}

}  // namespace
}  // namespace framefold

#include "io/codecs.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "io/file.h"
#include "kernels/error.h"
#include "tests/codecs_test.h"
#include "tests/data.h"
#include "tests/temporary.h"

namespace framefold {
namespace {

namespace fs = std::filesystem;
using Pixels = std::vector<std::uint8_t>;

class CodecsTest : public NeedsCodecs {};

std::vector<Pixels> decode(const fs::path& path, const FrameFormat& format,
                           const CodecLimits& limits = {}) {
  const auto reader = codecs().open(path.string(), format, limits);
  std::vector<Pixels> frames;
  Pixels frame(format.bytes());
  while (reader->next(frame.data())) frames.push_back(frame);
  return frames;
}

// Counts as another build of libav (FFmpeg 8 through PyAV) decodes them.
TEST_F(CodecsTest, CountsFrames) {
  const std::pair<const char*, Index> files[] = {
      {"videos/arm_wrestling.mp4", 280}, {"videos/bigbuckbunny.mp4", 132},
      {"videos/mma_test.avi", 164},      {"videos/flipping_a_pancake.mkv", 310},
      {"videos/mma_test.mp4", 300},      {"videos/rotated_90.mov", 3},
      {"videos/spatiotemporal.mp4", 57}, {"videos/structuralize.mp4", 300},
      {"hostile/unordered.mov", 4},
  };
  for (const auto& [name, frames] : files) {
    const fs::path path = test_data(name);
    if (path.empty()) GTEST_SKIP() << name << " is absent";
    EXPECT_EQ(codecs().scan(path.string(), {}).size(), frames) << name;
    if (frames <= 164) {
      EXPECT_EQ(static_cast<Index>(decode(path, {8, 8, 1}).size()), frames) << name;
    }
  }
}

// One frame of 4 x 2 pixels in full-range YUV 4:4:4: the conversion by hand.
TEST_F(CodecsTest, ColoursByHand) {
  const TemporaryDirectory directory;
  const std::string header = "YUV4MPEG2 W4 H2 F25:1 Ip A1:1 C444 XCOLORRANGE=LIMITED\nFRAME\n";
  // Red, green, blue, white in BT.601's limited range, twice.
  const std::string y("\x51\x91\x29\xeb\x51\x91\x29\xeb", 8),
      u("\x5a\x36\xf0\x80\x5a\x36\xf0\x80", 8), v("\xf0\x22\x6e\x80\xf0\x22\x6e\x80", 8);
  directory.write("a.y4m", header + y + u + v);
  const auto frames = decode(directory / "a.y4m", {2, 4, 3});
  ASSERT_EQ(frames.size(), 1U);
  const int expected[] = {255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255};
  for (std::size_t i = 0; i < 24; ++i) EXPECT_NEAR(frames[0][i], expected[i % 12], 2) << i;
  const auto grey = decode(directory / "a.y4m", {2, 4, 1});
  for (std::size_t i = 0; i < 8; ++i)
    EXPECT_NEAR(grey[0][i], (static_cast<std::uint8_t>(y[i]) - 16) * 255.0 / 219, 1) << i;
}

// Left half dark, right half bright, 64 x 16: the middle 16 x 16 is cropped, then halved.
TEST_F(CodecsTest, CropsAboutTheMiddleAndAverages) {
  const TemporaryDirectory directory;
  std::string video = "YUV4MPEG2 W64 H16 F25:1 Ip A1:1 Cmono XCOLORRANGE=FULL\nFRAME\n";
  for (int i = 0; i < 64 * 16; ++i) {
    const int x = i % 64;
    video += static_cast<char>(x < 24 || x >= 40 ? 0 : (x < 32 ? 20 : (x % 2 == 0 ? 100 : 140)));
  }
  directory.write("a.y4m", video);
  const auto frames = decode(directory / "a.y4m", {8, 8, 1});
  ASSERT_EQ(frames.size(), 1U);
  for (std::size_t i = 0; i < 64; ++i) EXPECT_NEAR(frames[0][i], i % 8 < 4 ? 20 : 120, 1) << i;
}

// What lies in [begin, begin + width) of a row of samples, each of width 1, on average; the first
// and the last go on beyond the ends.
double mean_over(const std::vector<double>& samples, double begin, double width) {
  double sum = 0;
  const auto last = static_cast<std::ptrdiff_t>(samples.size()) - 1;
  for (auto i = static_cast<std::ptrdiff_t>(std::floor(begin));
       static_cast<double>(i) < begin + width; ++i) {
    const double low = std::max(begin, static_cast<double>(i));
    const double high = std::min(begin + width, static_cast<double>(i) + 1);
    sum += samples[static_cast<std::size_t>(std::clamp<std::ptrdiff_t>(i, 0, last))] * (high - low);
  }
  return sum / width;
}

std::vector<double> resized(const std::vector<double>& samples, Index count) {
  const double step = static_cast<double>(samples.size()) / static_cast<double>(count);
  const double width = std::max(1.0, step);
  std::vector<double> result;
  for (Index i = 0; i < count; ++i)
    result.push_back(mean_over(samples, (static_cast<double>(i) + 0.5) * step - width / 2, width));
  return result;
}

// Noise of 60 x 80 in sizes that take every way through the resizer, against the definition: means
// of what a pixel covers, or, enlarged, of what a sample's width around its middle covers.
TEST_F(CodecsTest, ResizesAsDefined) {
  constexpr Index height = 60, width = 80;
  const TemporaryDirectory directory;
  std::string video = "YUV4MPEG2 W80 H60 F25:1 Ip A1:1 Cmono XCOLORRANGE=FULL\nFRAME\n";
  std::vector<std::vector<double>> columns(width);
  for (Index i = 0; i < height * width; ++i) {
    const auto value = static_cast<std::uint8_t>(i * i * 37 % 251);
    video += static_cast<char>(value);
    columns[static_cast<std::size_t>(i % width)].push_back(value);
  }
  directory.write("a.y4m", video);
  for (const auto& [h, w] : {std::pair<Index, Index>{60, 80},
                             {45, 60},
                             {42, 56},
                             {36, 48},
                             {15, 20},
                             {9, 12},
                             {81, 108},
                             {120, 160},
                             {3, 4}}) {
    const auto frames = decode(directory / "a.y4m", {h, w, 1});
    ASSERT_EQ(frames.size(), 1U);
    std::vector<std::vector<double>> lower;
    for (const auto& column : columns) lower.push_back(resized(column, h));
    for (Index y = 0; y < h; ++y) {
      std::vector<double> row;
      for (const auto& column : lower) row.push_back(column[static_cast<std::size_t>(y)]);
      const std::vector<double> expected = resized(row, w);
      for (Index x = 0; x < w; ++x)
        ASSERT_NEAR(frames[0][static_cast<std::size_t>(y * w + x)],
                    expected[static_cast<std::size_t>(x)], 0.6)
            << h << " x " << w << " at " << y << ", " << x;
    }
  }
}

// A clip on its side: the matrix in the file's header replaced by those that cameras write.
TEST_F(CodecsTest, TurnsUpright) {
  const fs::path path = test_data("videos/rotated_0.mov");
  if (path.empty()) GTEST_SKIP() << "videos/rotated_0.mov is absent";
  const std::string original = read_file(path, Bytes{1} << 20);
  const Index n = 32;
  const Pixels upright = decode(path, {n, n, 3})[1];
  // (a b; c d) of the track header, and where the turned pixel (y, x) comes from.
  struct Turn {
    const char* matrix;
    Index (*from)(Index y, Index x);
  };
  const Turn turns[] = {
      {"0+-0", [](Index y, Index x) { return (n - 1 - x) * n + y; }},            // 90 clockwise
      {"-00-", [](Index y, Index x) { return (n - 1 - y) * n + (n - 1 - x); }},  // 180
      {"0-+0", [](Index y, Index x) { return x * n + (n - 1 - y); }},            // 270
  };
  for (const Turn& turn : turns) {
    std::string file = original;
    const std::size_t matrix = file.find("tkhd") + 44;
    const std::size_t places[] = {0, 4, 12, 16};
    for (std::size_t i = 0; i < 4; ++i) {
      const char sign = turn.matrix[i];
      const std::string number(
          sign == '0' ? "\0\0\0\0" : (sign == '+' ? "\0\1\0\0" : "\xff\xff\0\0"), 4);
      file.replace(matrix + places[i], 4, number);
    }
    const TemporaryDirectory directory;
    directory.write("a.mov", file);
    const Pixels turned = decode(directory / "a.mov", {n, n, 3})[1];
    for (Index y = 0; y < n; ++y)
      for (Index x = 0; x < n; ++x)
        ASSERT_EQ(0, std::memcmp(&turned[static_cast<std::size_t>((y * n + x) * 3)],
                                 &upright[static_cast<std::size_t>(turn.from(y, x) * 3)], 3))
            << turn.matrix << " at " << y << ", " << x;
  }
}

// Not square: the shape that is asked for is that of the upright frame.
TEST_F(CodecsTest, DeliversAnyShape) {
  for (const char* name : {"videos/rotated_0.mov", "videos/rotated_90.mov"}) {
    const fs::path path = test_data(name);
    if (path.empty()) GTEST_SKIP() << name << " is absent";
    for (const FrameFormat& format :
         {FrameFormat{1, 1, 3}, FrameFormat{3, 700, 3}, FrameFormat{700, 3, 1},
          FrameFormat{31, 17, 3}, FrameFormat{1000, 900, 1}}) {
      const auto frames = decode(path, format);
      ASSERT_EQ(frames.size(), 3U);
      const auto [least, most] = std::minmax_element(frames[2].begin(), frames[2].end());
      EXPECT_GT(*most, 40);
      if (format.bytes() > 10) {
        EXPECT_LT(*least, *most);
      }
    }
  }
}

TEST_F(CodecsTest, RefusesDamage) {
  const fs::path corrupted = test_data("hostile/corrupted.mp4");
  if (corrupted.empty()) GTEST_SKIP() << "hostile/corrupted.mp4 is absent";
  EXPECT_ERROR(ErrorCode::format, "corrupted.mp4: frame 28 cannot be decoded: Invalid data",
               decode(corrupted, {8, 8, 3}));
}

// Cut at any length, a video is refused or says fewer frames; it is never completed by invention.
TEST_F(CodecsTest, SurvivesCutVideos) {
  const TemporaryDirectory directory;
  for (const char* name :
       {"videos/rotated_90.mov", "videos/mma_test.avi", "hostile/unordered.mov"}) {
    const fs::path path = test_data(name);
    if (path.empty()) GTEST_SKIP() << name << " is absent";
    const std::string whole = read_file(path, Bytes{1} << 24);
    const std::size_t all = decode(path, {8, 8, 1}).size();
    for (std::size_t i = 0; i < 12; ++i) {
      directory.write("cut", whole.substr(0, whole.size() * i / 12));
      try {
        EXPECT_LE(decode(directory / "cut", {8, 8, 1}).size(), all);
      } catch (const Error& error) {
        EXPECT_NE(std::string(error.what()).find("cut"), std::string::npos);
      }
    }
  }
}

TEST_F(CodecsTest, SurvivesFlippedBits) {
  const TemporaryDirectory directory;
  const fs::path path = test_data("hostile/unordered.mov");
  if (path.empty()) GTEST_SKIP() << "hostile/unordered.mov is absent";
  const std::string whole = read_file(path, Bytes{1} << 24);
  for (std::size_t i = 0; i < 300; ++i) {
    std::string flipped = whole;
    char& byte = flipped[i * 7919 % whole.size()];
    byte = static_cast<char>(byte ^ (1 << (i % 8)));
    directory.write("flipped", flipped);
    try {
      const CodecLimits limits{.pixels = 1 << 20, .frames = 1000};
      codecs().scan((directory / "flipped").string(), limits);
      decode(directory / "flipped", {8, 8, 1}, limits);
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("flipped"), std::string::npos);
    }
  }
}

TEST_F(CodecsTest, RefusesWhatIsNoVideo) {
  const TemporaryDirectory directory;
  const auto open = [&](const std::string& path) { codecs().open(path, {8, 8, 3}, {}); };
  directory.write("text.mp4", "Once upon a time there was a file that was no video at all.");
  EXPECT_ERROR(ErrorCode::format, "is no video or picture",
               open((directory / "text.mp4").string()));
  directory.write("empty.mp4", "");
  EXPECT_ERROR(ErrorCode::format, "empty.mp4", open((directory / "empty.mp4").string()));
  EXPECT_ERROR(ErrorCode::file, "No such file", open((directory / "none.mp4").string()));
  EXPECT_ERROR(ErrorCode::file, "not a regular file", open(directory.path().string()));
  EXPECT_ERROR(ErrorCode::file, "not a regular file", open("/dev/zero"));
  ASSERT_EQ(0, mkfifo((directory / "fifo").c_str(), 0600));
  EXPECT_ERROR(ErrorCode::file, "not a regular file", open((directory / "fifo").string()));
  // Lists of other files and addresses are not followed.
  directory.write("list.mp4", "ffconcat version 1.0\nfile /etc/passwd\n");
  EXPECT_ERROR(ErrorCode::format, "list.mp4", open((directory / "list.mp4").string()));
  directory.write("list.m3u8",
                  "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n/etc/passwd\n#EXT-X-ENDLIST\n");
  EXPECT_ERROR(ErrorCode::format, "list.m3u8", open((directory / "list.m3u8").string()));
}

// Nothing but files is opened, whatever libav could open by such names.
TEST_F(CodecsTest, OpensFilesAlone) {
  const TemporaryDirectory directory;
  directory.write("a.y4m", "YUV4MPEG2 W2 H2 F25:1 Ip A1:1 Cmono\nFRAME\nabcd");
  const std::string path = (directory / "a.y4m").string();
  EXPECT_EQ(decode(path, {2, 2, 1}).size(), 1U);
  const std::vector<std::string> names = {"file:" + path,
                                          "concat:" + path + "|" + path,
                                          "subfile,,start,0,end,0,,:" + path,
                                          "cache:" + path,
                                          "async:" + path,
                                          "data:video/y4m;base64,WVVW",
                                          "pipe:0",
                                          "http://localhost/a.y4m",
                                          "tcp://localhost:1"};
  for (const std::string& name : names)
    EXPECT_ERROR(ErrorCode::file, name, codecs().open(name, {8, 8, 3}, {}));
}

// Formats that libav reads and that are not on the lists.
TEST_F(CodecsTest, KeepsToItsLists) {
  const TemporaryDirectory directory;
  directory.write("a.srt",
                  "1\n00:00:00,000 --> 00:00:02,000\nHello\n\n2\n00:00:02,000 --> "
                  "00:00:04,000\nagain\n");
  directory.write("a.ffmeta", ";FFMETADATA1\ntitle=none\n");
  for (const char* name : {"a.srt", "a.ffmeta"})
    EXPECT_ERROR(ErrorCode::format, "is no video or picture that is known here",
                 codecs().open((directory / name).string(), {8, 8, 3}, {}));
  const fs::path path = test_data("videos/mma_test.avi");
  if (path.empty()) GTEST_SKIP() << "videos/mma_test.avi is absent";
  std::string video = read_file(path, Bytes{1} << 24);
  for (const auto& [tag, other] : {std::pair{"xvid", "cvid"}, std::pair{"XVID", "cvid"}}) {
    const std::size_t at = video.find(tag);
    ASSERT_LT(at, 1000U);
    video.replace(at, 4, other);
  }
  directory.write("cinepak.avi", video);
  const std::string cinepak = (directory / "cinepak.avi").string();
  EXPECT_ERROR(ErrorCode::format, "cinepak.avi", decode(cinepak, {8, 8, 3}));
}

TEST_F(CodecsTest, KeepsTheLimits) {
  const TemporaryDirectory directory;
  std::string video = "YUV4MPEG2 W16 H16 F25:1 Ip A1:1 Cmono\n";
  for (int i = 0; i < 5; ++i) video += "FRAME\n" + std::string(256, 'x');
  directory.write("a.y4m", video);
  const std::string path = (directory / "a.y4m").string();
  EXPECT_EQ(decode(path, {8, 8, 1}, {.pixels = 256, .frames = 5}).size(), 5U);
  EXPECT_ERROR(ErrorCode::format, "more than 4 frames", decode(path, {8, 8, 1}, {.frames = 4}));
  EXPECT_ERROR(ErrorCode::format, "more than 4 frames", codecs().scan(path, {.frames = 4}));
  EXPECT_ERROR(ErrorCode::format, "a.y4m", decode(path, {8, 8, 1}, {.pixels = 100}));
  EXPECT_ERROR(ErrorCode::argument, "8 x 9", decode(path, {8, 9, 2}));
}

}  // namespace
}  // namespace framefold

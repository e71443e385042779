#include "io/clip_files.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "io/file.h"
#include "io/picture.h"
#include "kernels/error.h"
#include "tests/codecs_test.h"
#include "tests/data.h"
#include "tests/temporary.h"

namespace framefold {
namespace {

namespace fs = std::filesystem;
using Pixels = std::vector<std::uint8_t>;

bool have_codecs() { return codecs_plugin().symbol != nullptr; }

Pixels read(const Dataset& dataset, Index index, Random random = {}) {
  Pixels pixels(static_cast<std::size_t>(dataset.shape().size()));
  dataset.read(index, random, {pixels.data(), DType::u8, dataset.shape()});
  return pixels;
}

// A YUV4MPEG2 video without compression: frame i is grey, of brightness `first + i`.
std::string grey_video(int frames, int first = 40) {
  std::string video = "YUV4MPEG2 W16 H8 F25:1 Ip A1:1 C420jpeg XCOLORRANGE=FULL\n";
  for (int i = 0; i < frames; ++i)
    video += "FRAME\n" + std::string(16 * 8, static_cast<char>(first + i)) +
             std::string(2 * 8 * 4, static_cast<char>(128));
  return video;
}

// The brightness of each frame of a clip of grey_video.
std::vector<int> brightness(const Pixels& clip, Index frames) {
  std::vector<int> result;
  const std::size_t frame = clip.size() / static_cast<std::size_t>(frames);
  for (std::size_t i = 0; i < clip.size(); i += frame) {
    result.push_back(clip[i]);
    EXPECT_EQ(std::count(&clip[i], &clip[i] + frame, clip[i]), static_cast<Index>(frame));
  }
  return result;
}

ClipFiles small(const fs::path& path) {
  return {.path = path.string(), .frames = 4, .stride = 2, .format = {4, 8, 1}, .held_out = 0};
}

class Clips : public testing::Test {
 protected:
  void SetUp() override {
    if (!have_codecs()) GTEST_SKIP() << "libframefold_codecs.so is absent";
  }
  void write(const std::string& name, const std::string& content) {
    directory_.write(name, content);
  }
  const TemporaryDirectory directory_;
};

TEST_F(Clips, WindowsByHand) {
  write("a.y4m", grey_video(25));
  for (const Bytes cache : {Bytes{0}, Bytes{1} << 20}) {
    ClipFiles options = small(directory_.path());
    options.cache = cache;
    options.held_out = 1;  // nothing moves
    const auto clips = clip_files(options).held_out;
    ASSERT_EQ(clips->size(), 3);  // of 7 frames each
    EXPECT_EQ(clips->shape(), (Shape{4, 4, 8, 1}));
    EXPECT_EQ(brightness(read(*clips, 0, {1, 1}), 4), (std::vector{40, 42, 44, 46}));
    EXPECT_EQ(brightness(read(*clips, 2, {2, 2}), 4), (std::vector{54, 56, 58, 60}));
    EXPECT_NE(clips->name(2).find("a.y4m from frame 14"), std::string::npos);
  }
}

// 25 frames a second taken at 10: 0, 0.1, 0.2 ... seconds show frames 0, 2, 5, 7, 10, ...
TEST_F(Clips, TakesARate) {
  write("a.y4m", grey_video(25));
  for (const Bytes cache : {Bytes{0}, Bytes{1} << 20}) {
    ClipFiles options = small(directory_.path());
    options.cache = cache;
    options.held_out = 1;
    options.stride = 1;
    EXPECT_EQ(clip_files(options).held_out->rate(0), 25);
    options.files = std::make_shared<const VideoFiles>(VideoFiles::Options{.rate = 10});
    const auto clips = clip_files(options).held_out;
    ASSERT_EQ(clips->size(), 2);  // of 10 frames
    EXPECT_EQ(clips->rate(1), 10);
    EXPECT_EQ(brightness(read(*clips, 0), 4), (std::vector{40, 42, 45, 47}));
    EXPECT_EQ(brightness(read(*clips, 1), 4), (std::vector{50, 52, 55, 57}));
    options.stride = 2;
    const auto strided = clip_files(options).held_out;
    EXPECT_EQ(strided->rate(0), 5);
    EXPECT_EQ(brightness(read(*strided, 0), 4), (std::vector{40, 45, 50, 55}));
    options.stride = 1;
    // Every frame twice.
    options.files = std::make_shared<const VideoFiles>(VideoFiles::Options{.rate = 50});
    EXPECT_EQ(brightness(read(*clip_files(options).held_out, 0), 4), (std::vector{40, 40, 41, 41}));
  }
}

TEST_F(Clips, ShortVideosHoldTheirLastFrame) {
  write("a.y4m", grey_video(4));
  for (const Bytes cache : {Bytes{0}, Bytes{1} << 20}) {
    ClipFiles options = small(directory_.path());
    options.cache = cache;
    const auto clips = clip_files(options).train;
    ASSERT_EQ(clips->size(), 1);
    EXPECT_EQ(brightness(read(*clips, 0, {1, 1}), 4), (std::vector{40, 42, 43, 43}));
  }
}

TEST_F(Clips, TrainingReachesEveryStart) {
  write("a.y4m", grey_video(17));
  const auto clips = clip_files(small(directory_.path())).train;
  ASSERT_EQ(clips->size(), 2);
  std::vector<std::set<int>> starts(2);
  for (Index clip = 0; clip < 2; ++clip)
    for (std::uint64_t stream = 0; stream < 200; ++stream) {
      const auto seen = brightness(read(*clips, clip, {5, stream}), 4);
      EXPECT_EQ(seen[3] - seen[0], 6);
      starts[static_cast<std::size_t>(clip)].insert(seen[0] - 40);
    }
  EXPECT_EQ(starts[0], (std::set{0, 1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(starts[1], (std::set{7, 8, 9, 10}));
}

TEST_F(Clips, HoldsOutTheLastPartOfFewVideos) {
  write("a.y4m", grey_video(40));
  write("b.y4m", grey_video(13, 100));  // no room for two windows
  ClipFiles options = small(directory_.path());
  options.held_out = 0.25;
  const Split parts = clip_files(options);
  EXPECT_EQ(parts.train->size(), 4 + 1);
  ASSERT_EQ(parts.held_out->size(), 1);
  EXPECT_EQ(brightness(read(*parts.held_out, 0), 4), (std::vector{70, 72, 74, 76}));
  for (std::uint64_t stream = 0; stream < 50; ++stream)
    EXPECT_LT(brightness(read(*parts.train, 3, {1, stream}), 4)[3], 70);
  options.frames = 20;
  EXPECT_ERROR(ErrorCode::argument, "none has the 78 frames", clip_files(options));
}

TEST_F(Clips, HoldsOutWholeFilesOfMany) {
  for (int i = 0; i < 20; ++i) write(text("x/", i % 3, "/", i, ".y4m"), grey_video(7, 10 * i));
  ClipFiles options = small(directory_.path());
  options.held_out = 0.1;
  const Split parts = clip_files(options);
  EXPECT_EQ(parts.train->size(), 18);
  ASSERT_EQ(parts.held_out->size(), 2);
  std::set<int> seen;
  for (const auto& part : {parts.train, parts.held_out})
    for (Index i = 0; i < part->size(); ++i) seen.insert(brightness(read(*part, i), 4)[0]);
  EXPECT_EQ(seen.size(), 20U);
  EXPECT_EQ(clip_files(options).held_out->name(1), parts.held_out->name(1));
}

TEST_F(Clips, SearchesDirectories) {
  write("b/c.MKV.y4m", grey_video(7, 20));
  write("a.Y4M", grey_video(7));
  write(".hidden.y4m", "junk");
  write(".git/d.y4m", "junk");
  write("e.txt", "junk");
  const auto clips = clip_files(small(directory_.path())).train;
  ASSERT_EQ(clips->size(), 2);
  EXPECT_NE(clips->name(0).find("a.Y4M"), std::string::npos);
  const TemporaryDirectory empty;
  EXPECT_ERROR(ErrorCode::file, "holds no videos", clip_files(small(empty.path())));
  EXPECT_ERROR(ErrorCode::file, "No such file", clip_files(small(empty / "x")));
}

TEST_F(Clips, BadFilesAreErrorsOrListed) {
  write("a.y4m", grey_video(30));
  write("b.mp4", "neither video nor picture, but long enough to be looked at");
  write("c.mp4", "");
  ClipFiles options = small(directory_.path());
  EXPECT_ERROR(ErrorCode::format, "b.mp4: is no video", clip_files(options));
  options.skip_bad = true;
  const Split parts = clip_files(options);
  EXPECT_EQ(parts.train->size(), 4);
  ASSERT_EQ(parts.skipped.size(), 2U);
  EXPECT_NE(parts.skipped[0].find("b.mp4"), std::string::npos);
  EXPECT_NE(parts.skipped[1].find("c.mp4"), std::string::npos);
  fs::remove(directory_ / "a.y4m");
  EXPECT_ERROR(ErrorCode::format, "none of the 2 files", clip_files(options));
}

TEST_F(Clips, DamageFoundWhileReadingNamesTheFile) {
  if (test_data("hostile/corrupted.mp4").empty()) GTEST_SKIP() << "hostile/corrupted.mp4 is absent";
  const fs::path corrupted = directory_ / "corrupted.mp4";  // its index is kept beside it
  fs::create_symlink(test_data("hostile/corrupted.mp4"), corrupted);
  for (const Bytes cache : {Bytes{0}, Bytes{1} << 30}) {
    ClipFiles options = small(corrupted);
    options.cache = cache;
    const auto clips = clip_files(options).train;
    ASSERT_EQ(clips->size(), 7);  // of the 50 frames that are announced
    EXPECT_ERROR(ErrorCode::format, "cannot be decoded", read(*clips, 5));
    EXPECT_ERROR(ErrorCode::format, "corrupted.mp4", read(*clips, 5));
  }
}

// A BMP of 4 x 2 pixels of one colour.
std::string bmp(int red, int green, int blue) {
  std::string file("BM\x4e\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\4\0\0\0\2\0\0\0\1\0\x18\0", 30);
  file += std::string(24, '\0');
  for (int i = 0; i < 8; ++i)
    for (const int value : {blue, green, red}) file += static_cast<char>(value);
  return file;
}

TEST_F(Clips, Pictures) {
  for (int i = 0; i < 5; ++i) write(text("x/", i, ".bmp"), bmp(10 * i, 100, 200 - i));
  write("x/video.y4m", grey_video(3));
  ClipFiles options = small(directory_.path());
  options.kind = ClipFiles::Kind::pictures;
  options.format = {2, 2, 3};
  options.held_out = 0.2;
  const Split parts = clip_files(options);
  EXPECT_EQ(parts.train->size(), 4);
  ASSERT_EQ(parts.held_out->size(), 1);
  EXPECT_EQ(parts.train->shape(), (Shape{1, 2, 2, 3}));
  for (const auto& part : {parts.train, parts.held_out})
    for (Index i = 0; i < part->size(); ++i) {
      const std::string name = fs::path(part->name(i)).filename().string();
      const int number = name[0] - '0';
      EXPECT_EQ(name.substr(1), ".bmp");
      const Pixels pixels = read(*part, i);
      EXPECT_EQ(Pixels(pixels.begin() + 9, pixels.end()),
                (Pixels{static_cast<std::uint8_t>(10 * number), 100,
                        static_cast<std::uint8_t>(200 - number)}));
    }
  write("y.jpg", "no picture");
  const Split bad = clip_files(options);  // pictures are opened when they are read
  EXPECT_ERROR(ErrorCode::format, "y.jpg", for (Index i = 0; i < 5; ++i) read(*bad.train, i));
}

TEST_F(Clips, CachedAndDecodedAnewAreTheSame) {
  if (test_data("videos/arm_wrestling.mp4").empty())
    GTEST_SKIP() << "videos/arm_wrestling.mp4 is absent";
  const fs::path video = directory_ / "arm_wrestling.mp4";
  fs::create_symlink(test_data("videos/arm_wrestling.mp4"), video);
  ClipFiles options{.path = video.string(), .frames = 5, .stride = 3, .format = {24, 32, 3}};
  const auto kept = clip_files(options).train;
  options.cache = 0;
  const auto decoded = clip_files(options).train;
  ASSERT_EQ(kept->size(), 19);  // 252 of 280 frames in windows of 13
  for (const Index clip : {18, 0, 7}) {
    const Pixels pixels = read(*kept, clip, {3, 4});
    EXPECT_EQ(pixels, read(*decoded, clip, {3, 4}));
  }
}

// These need no codecs.
TEST(ClipFiles, PngPictures) {
  const TemporaryDirectory directory;
  for (int i = 0; i < 10; ++i)
    directory.write(text(i, ".png"),
                    encode_png({6, 3, i % 2 == 0 ? 3 : 1, static_cast<std::uint8_t>(10 * i)}));
  for (const bool skip_bad : {false, true})
    for (const Bytes cache : {Bytes{0}, Bytes{1} << 20}) {
      const Split parts = clip_files({.kind = ClipFiles::Kind::pictures,
                                      .path = directory.path().string(),
                                      .format = {2, 2, 3},
                                      .held_out = 0.2,
                                      .skip_bad = skip_bad,
                                      .cache = cache});
      ASSERT_EQ(parts.train->size(), 8);
      ASSERT_EQ(parts.held_out->size(), 2);
      for (Index i = 0; i < 8; ++i) {
        const int number = fs::path(parts.train->name(i)).filename().string()[0] - '0';
        EXPECT_EQ(read(*parts.train, i), Pixels(12, static_cast<std::uint8_t>(10 * number)));
      }
    }
  directory.write("a.png", "no picture");
  const auto bad = clip_files(
      {.kind = ClipFiles::Kind::pictures, .path = (directory / "a.png").string(), .held_out = 0});
  EXPECT_ERROR(ErrorCode::format, "a.png", read(*bad.train, 0));
}

TEST(ClipFiles, RefusesWhatDoesNotFit) {
  EXPECT_ERROR(ErrorCode::argument, "stride 0", clip_files({.path = "x", .stride = 0}));
}

}  // namespace
}  // namespace framefold

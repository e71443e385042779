#include "io/video_index.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>

#include "io/codecs.h"
#include "io/file.h"
#include "kernels/error.h"
#include "tests/codecs_test.h"
#include "tests/temporary.h"

namespace framefold {
namespace {

namespace fs = std::filesystem;

std::string video(int frames) {
  std::string bytes = "YUV4MPEG2 W16 H8 F25:2 Ip A4:3 Cmono\n";
  for (int i = 0; i < frames; ++i) bytes += "FRAME\n" + std::string(16 * 8, static_cast<char>(i));
  return bytes;
}

class VideoIndexTest : public NeedsCodecs {
 protected:
  void SetUp() override {
    NeedsCodecs::SetUp();
    ::unsetenv("FRAMEFOLD_CACHE_DIR");
  }
  void TearDown() override { ::setenv("FRAMEFOLD_CACHE_DIR", elsewhere_.c_str(), 1); }
  fs::path kept(const std::string& name) const {
    return directory_ / (".framefold-index/" + name + ".index");
  }
  const TemporaryDirectory directory_;

 private:
  const std::string elsewhere_ = std::getenv("FRAMEFOLD_CACHE_DIR");
};

TEST_F(VideoIndexTest, TellsWhatTheFileHolds) {
  directory_.write("a.y4m", video(5));
  const VideoIndex index = video_index((directory_ / "a.y4m").string(), {});
  EXPECT_EQ(index.size(), 5);
  EXPECT_EQ(index.height, 8);
  EXPECT_EQ(index.width, 16);
  EXPECT_NEAR(index.pixel_aspect, 4.0 / 3, 1e-12);
  EXPECT_EQ(index.quarter_turns, 0);
  EXPECT_NEAR(index.rate, 12.5, 1e-9);
  EXPECT_NEAR(index.duration, 0.4, 1e-9);
  EXPECT_FALSE(index.variable_rate);
  EXPECT_NEAR(index.frames[3].time, 0.24, 1e-9);
  EXPECT_EQ(index.at(-1), 0);
  EXPECT_EQ(index.at(0.081), 1);
  EXPECT_EQ(index.at(0.079), 0);
  EXPECT_EQ(index.at(7), 4);
}

// Frames at 0, 0.1, 0.5, 0.6 s; the last lasts as long as the others do on average, 0.2 s.
TEST(FramesAtRate, ByHand) {
  VideoIndex index;
  for (const double time : {0.0, 0.1, 0.5, 0.6}) index.frames.push_back({time, 0});
  index.rate = 5;
  index.duration = 0.8;
  EXPECT_EQ(frames_at_rate(index, 0, {}), (std::vector<Index>{0, 1, 2, 3}));
  EXPECT_EQ(frames_at_rate(index, 10, {}), (std::vector<Index>{0, 1, 1, 1, 1, 2, 3, 3}));
  EXPECT_EQ(frames_at_rate(index, 4, {}), (std::vector<Index>{0, 1, 2, 3}));  // 0, .25, .5, .75
  EXPECT_EQ(frames_at_rate(index, 1, {}), (std::vector<Index>{0}));
  EXPECT_EQ(frames_at_rate(index, 20, {}).size(), 16U);
  index.frames[2].time = 0.5009;  // within the millisecond that containers round to
  EXPECT_EQ(frames_at_rate(index, 4, {}), (std::vector<Index>{0, 1, 2, 3}));
  index.frames[2].time = 0.5011;
  EXPECT_EQ(frames_at_rate(index, 4, {}), (std::vector<Index>{0, 1, 1, 3}));
  EXPECT_ERROR(ErrorCode::format, "more than 100 frames",
               frames_at_rate(index, 1000, {.frames = 100}));
}

TEST_F(VideoIndexTest, IsKeptAndMadeAnewWhenTheFileChanges) {
  const std::string path = (directory_ / "a.y4m").string();
  directory_.write("a.y4m", video(5));
  EXPECT_EQ(video_index(path, {}).size(), 5);
  ASSERT_TRUE(fs::exists(kept("a.y4m")));

  // What is kept is what counts: an entry of this file that says something else.
  VideoIndex other = video_index(path, {});
  other.codec = "another";
  write_file(kept("a.y4m"), encode_index(other, stamp_of(path)));
  EXPECT_EQ(video_index(path, {}).codec, "another");

  directory_.write("a.y4m", video(6));
  EXPECT_EQ(video_index(path, {}).size(), 6);
  EXPECT_EQ(video_index(path, {}).codec, "rawvideo");
  fs::last_write_time(directory_ / "a.y4m",
                      fs::file_time_type::clock::now() + std::chrono::hours(1));
  const std::string before = read_file(kept("a.y4m"), 1 << 20);
  video_index(path, {});
  EXPECT_NE(read_file(kept("a.y4m"), 1 << 20), before);
}

TEST_F(VideoIndexTest, SurvivesDamagedEntries) {
  const std::string path = (directory_ / "a.y4m").string();
  directory_.write("a.y4m", video(3));
  const FileStamp stamp = stamp_of(path);
  const VideoIndex index = video_index(path, {});
  const std::string good = encode_index(index, stamp);
  VideoIndex read;
  ASSERT_TRUE(decode_index(good, stamp, read));
  EXPECT_EQ(encode_index(read, stamp), good);
  for (std::size_t i = 0; i < good.size(); ++i) {
    EXPECT_FALSE(decode_index(good.substr(0, i), stamp, read)) << i;
    std::string flipped = good;
    flipped[i] = static_cast<char>(flipped[i] ^ 4);
    EXPECT_FALSE(decode_index(flipped, stamp, read)) << i;
  }
  VideoIndex wrong = index;
  wrong.frames[1].packet = 3;
  EXPECT_FALSE(decode_index(encode_index(wrong, stamp), stamp, read));
  write_file(kept("a.y4m"), good.substr(0, 40));
  EXPECT_EQ(video_index(path, {}).size(), 3);
  EXPECT_EQ(read_file(kept("a.y4m"), 1 << 20), good);
}

// Whole by its hash, but not of any video.
TEST_F(VideoIndexTest, CraftedEntriesAreMadeAnew) {
  const std::string path = (directory_ / "a.y4m").string();
  directory_.write("a.y4m", video(3));
  const FileStamp stamp = stamp_of(path);
  const VideoIndex index = video_index(path, {});
  using Change = void (*)(VideoIndex&);
  const std::vector<Change> changes = {
      [](VideoIndex& i) { i.stream = -1000000; }, [](VideoIndex& i) { i.delay = 17; },
      [](VideoIndex& i) { i.delay = -1; },        [](VideoIndex& i) { i.quarter_turns = 5; },
      [](VideoIndex& i) { i.height = -8; },       [](VideoIndex& i) { i.pixel_aspect = 0; },
      [](VideoIndex& i) { i.rate = INFINITY; },   [](VideoIndex& i) { i.duration = -1; },
      [](VideoIndex& i) { i.promised = NAN; },    [](VideoIndex& i) { i.frames[1].time = NAN; }};
  for (std::size_t i = 0; i < changes.size(); ++i) {
    VideoIndex crafted = index;
    changes[i](crafted);
    const std::string bytes = encode_index(crafted, stamp);
    EXPECT_FALSE(decode_index(bytes, stamp, crafted)) << i;
    write_file(kept("a.y4m"), bytes);
    EXPECT_EQ(encode_index(video_index(path, {}), stamp), encode_index(index, stamp)) << i;
  }
}

// A file that stands where the folder should: nothing can be kept beside the video.
TEST_F(VideoIndexTest, GoesToTheUsersCacheWhereTheFolderCannotBeWritten) {
  const std::string path = (directory_ / "a.y4m").string();
  directory_.write("a.y4m", video(3));
  directory_.write(".framefold-index", "in the way");
  const fs::path cache = directory_ / "cache";
  ::setenv("XDG_CACHE_HOME", cache.c_str(), 1);
  EXPECT_EQ(video_index(path, {}).size(), 3);
  EXPECT_EQ(std::distance(fs::directory_iterator(cache / "framefold"), {}), 1);
  EXPECT_EQ(video_index(path, {}).size(), 3);
  ::unsetenv("XDG_CACHE_HOME");
}

// Nothing is written beside the video then.
TEST_F(VideoIndexTest, GoesWhereItIsTold) {
  directory_.write("a.y4m", video(3));
  directory_.write("b/a.y4m", video(4));
  const fs::path cache = directory_ / "cache";
  ::setenv("FRAMEFOLD_CACHE_DIR", cache.c_str(), 1);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(video_index((directory_ / "a.y4m").string(), {}).size(), 3);
    EXPECT_EQ(video_index((directory_ / "b/a.y4m").string(), {}).size(), 4);
  }
  EXPECT_EQ(std::distance(fs::directory_iterator(cache), {}), 2);
  EXPECT_FALSE(fs::exists(directory_ / ".framefold-index"));
}

TEST_F(VideoIndexTest, KeepsTheLimits) {
  const std::string path = (directory_ / "a.y4m").string();
  directory_.write("a.y4m", video(5));
  for (int i = 0; i < 2; ++i) {  // scanned, then kept
    EXPECT_ERROR(ErrorCode::format, "more than 4 frames", video_index(path, {.frames = 4}));
    EXPECT_ERROR(ErrorCode::format, "a.y4m has frames", video_index(path, {.pixels = 127}));
    EXPECT_ERROR(ErrorCode::format, "lasts 0.4 seconds", video_index(path, {.seconds = 0.3}));
    EXPECT_EQ(video_index(path, {}).size(), 5);
  }
}

}  // namespace
}  // namespace framefold

#include "io/video_files.h"

#include <gtest/gtest.h>

#include <atomic>

#include "io/listed_videos.h"
#include "tests/temporary.h"

namespace framefold {
namespace {

// Knows of no file but its size: that many frames. Counts how often it is asked.
class Counting final : public Codecs {
 public:
  VideoIndex scan(const std::string& path, const CodecLimits&) const override {
    ++scans;
    VideoIndex index;
    index.height = index.width = 1;
    index.frames.resize(stamp_of(path).bytes);
    index.packets.resize(1);
    return index;
  }
  std::unique_ptr<VideoReader> open(const std::string&, std::shared_ptr<const VideoIndex>,
                                    const CodecLimits&) const override {
    return nullptr;
  }
  std::unique_ptr<FrameReader> open(const std::string&, const FrameFormat&,
                                    const CodecLimits&) const override {
    return nullptr;
  }
  mutable std::atomic<int> scans = 0;
};

class VideoFilesTest : public testing::Test {
 protected:
  VideoFiles files(Bytes indices) const {
    return VideoFiles({.indices = indices, .codecs = codecs_});
  }
  std::string file(const std::string& name, std::size_t frames) const {
    directory_.write(name, std::string(frames, 'x'));
    return (directory_ / name).string();
  }
  const TemporaryDirectory directory_;
  const std::shared_ptr<Counting> codecs_ = std::make_shared<Counting>();
};

TEST_F(VideoFilesTest, KeepIndicesInMemory) {
  const std::string a = file("a", 10);
  const VideoFiles kept = files(1 << 20);
  const auto first = kept.index(a);
  EXPECT_EQ(first->size(), 10);
  EXPECT_EQ(kept.index(a), first);  // the very same object: nothing was read again
  EXPECT_EQ(codecs_->scans, 1);
  file("a", 11);
  EXPECT_EQ(kept.index(a)->size(), 11);
  EXPECT_EQ(first->size(), 10);  // who holds it may go on
}

TEST_F(VideoFilesTest, TheOneNotUsedForLongestGoesFirst) {
  const std::string a = file("a", 100), b = file("b", 100), c = file("c", 100);
  const VideoFiles probe = files(1 << 20);
  probe.index(a);
  const Bytes one = probe.held();
  const VideoFiles kept = files(2 * one);
  const auto in_a = kept.index(a), in_b = kept.index(b);
  EXPECT_EQ(kept.index(a), in_a);
  kept.index(c);
  EXPECT_EQ(kept.held(), 2 * one);
  EXPECT_EQ(kept.index(a), in_a);
  EXPECT_NE(kept.index(b), in_b);
  const VideoFiles none = files(one - 1);
  EXPECT_NE(none.index(a), none.index(a));
  EXPECT_EQ(none.held(), 0U);
}

// A list's clips do not go back to the disk for the index.
TEST_F(VideoFilesTest, ListsShareThem) {
  file("videos/a.mp4", 10);
  const auto shared = std::make_shared<const VideoFiles>(VideoFiles::Options{.codecs = codecs_});
  const ListOptions list{.path = (directory_ / "videos").string()};
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(listed_videos(read_list(list), shared)->open(0)->frames(), 10);
  EXPECT_EQ(codecs_->scans, 1);
  EXPECT_EQ(shared->index((directory_ / "videos/a.mp4").string()).use_count(), 2);
}

}  // namespace
}  // namespace framefold

// Files that are damaged, cut or no videos: an Error that names them or fewer frames, within the
// caps; never a crash, never a frame that decoding in sequence does not show.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "io/clip_files.h"
#include "io/codecs.h"
#include "io/file.h"
#include "io/random.h"
#include "kernels/error.h"
#include "tests/codecs_test.h"
#include "tests/data.h"
#include "tests/temporary.h"

namespace framefold {
namespace {

namespace fs = std::filesystem;
using Pixels = std::vector<std::uint8_t>;

class HostileVideos : public NeedsCodecs {
 protected:
  const TemporaryDirectory directory_;
  static constexpr FrameFormat format{8, 8, 1};
  static constexpr CodecLimits limits{.pixels = 1 << 20, .frames = 2000, .memory = 1 << 28};

  // Indexes the file and reads frames spread over it; returns how many the index has, -1 for an
  // Error.
  Index try_out(const fs::path& path) {
    try {
      const auto index = std::make_shared<const VideoIndex>(codecs().scan(path.string(), limits));
      if (index->size() == 0) return 0;
      std::vector<Index> frames;
      for (Index i = 0; i < 4; ++i) frames.push_back(i * (index->size() - 1) / 3);
      Pixels pixels(frames.size() * format.bytes());
      codecs().open(path.string(), index, limits)->read({frames, format, {}, pixels.data()});
      return index->size();
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(path.filename().string()), std::string::npos)
          << error.what();
      return -1;
    }
  }

  // Tries the file cut at fifty lengths; how many still had frames.
  int cut(const fs::path& path) {
    const std::string whole = read_file(path, Bytes{1} << 24);
    const Index frames = codecs().scan(path.string(), limits).size();
    Draws draws({7, 7});
    int usable = 0;
    for (int i = 0; i < 50; ++i) {
      const auto length = static_cast<std::size_t>(draws.below(static_cast<Index>(whole.size())));
      directory_.write("cut", whole.substr(0, length));
      const Index left = try_out(directory_ / "cut");
      EXPECT_LE(left, frames) << path << " cut to " << length;
      if (left > 0) ++usable;
    }
    return usable;
  }
};

TEST_F(HostileVideos, CutAtRandomLengths) {
  int found = 0;
  for (const char* folder : {"videos", "hostile"}) {
    if (test_data(folder).empty()) continue;
    for (const auto& entry : fs::directory_iterator(test_data(folder)))
      if (entry.is_regular_file()) {
        ++found;
        cut(entry.path());
      }
  }
  if (found == 0) GTEST_SKIP() << "videos/ is absent";
}

// The same where most cuts leave a beginning that is a video: small copies of the first frames,
// with their table in front, and without one.
TEST_F(HostileVideos, CutBehindTheirHeader) {
  if (std::system("ffmpeg -v quiet -h encoder=libx264 | grep -q x264") != 0)
    GTEST_SKIP() << "there is no ffmpeg command with libx264";
  int found = 0;
  for (const char* name :
       {"arm_wrestling", "bigbuckbunny", "mma_test", "spatiotemporal", "structuralize"}) {
    const fs::path path = test_data(text("videos/", name, ".mp4"));
    if (path.empty()) continue;
    ++found;
    const std::string table = (directory_ / text(name, ".mp4")).string();
    const std::string none = (directory_ / text(name, ".mkv")).string();
    const std::string command =
        text("ffmpeg -v error -i '", path.string(), "' -an -frames:v 40 -vf scale=96:64 ",
             "-c:v libx264 -g 12 -bf 2 -threads 1 -movflags +faststart -y '", table,
             "' && ffmpeg -v error -i '", table, "' -c copy -y '", none, "'");
    ASSERT_EQ(std::system(command.c_str()), 0) << command;
    cut(table);
    EXPECT_GT(cut(none), 25) << name;
  }
  if (found == 0) GTEST_SKIP() << "videos/ is absent";
}

TEST_F(HostileVideos, FlippedBits) {
  const fs::path path = test_data("videos/rotated_270.mov");
  if (path.empty()) GTEST_SKIP() << "videos/rotated_270.mov is absent";
  const std::string whole = read_file(path, Bytes{1} << 24);
  Draws draws({8, 8});
  int errors = 0;
  for (int i = 0; i < 200; ++i) {
    std::string flipped = whole;
    // A third of them among the last bytes, which hold the tables.
    const Index size = static_cast<Index>(whole.size()), tail = std::min<Index>(size, 1500);
    const Index at = i % 3 == 0 ? size - 1 - draws.below(tail) : draws.below(size);
    char& byte = flipped[static_cast<std::size_t>(at)];
    byte = static_cast<char>(byte ^ (1 << draws.below(8)));
    directory_.write("flipped", flipped);
    errors += try_out(directory_ / "flipped") < 0 ? 1 : 0;
  }
  EXPECT_GT(errors, 0);
  EXPECT_LT(errors, 200);
}

TEST_F(HostileVideos, NoVideosAtAll) {
  directory_.write("text.mp4", "This is a letter, not a video.\n" + std::string(5000, '.'));
  directory_.write("empty.mp4", "");
  fs::create_directory(directory_ / "folder.mp4");
  for (const char* name : {"text.mp4", "empty.mp4", "folder.mp4", "none.mp4"}) {
    EXPECT_EQ(try_out(directory_ / name), -1) << name;
    EXPECT_ERROR(name == std::string("text.mp4") || name == std::string("empty.mp4")
                     ? ErrorCode::format
                     : ErrorCode::file,
                 name, video_index((directory_ / name).string(), {}));
  }
}

// What libav logged of one file is not said of another, nor of another frame.
TEST_F(HostileVideos, DetailsAreTheirOwn) {
  const fs::path damaged = test_data("hostile/corrupted.mp4");
  if (damaged.empty()) GTEST_SKIP() << "hostile/corrupted.mp4 is absent";
  Pixels pixels(format.bytes());
  const auto words = [&](const fs::path& path) -> std::string {
    try {
      const auto reader = codecs().open(path.string(), format, limits);
      while (reader->next(pixels.data())) {
      }
    } catch (const Error& error) {
      return error.what();
    }
    return {};
  };
  const std::string first = words(damaged);
  EXPECT_NE(first.find("frame 28 cannot be decoded"), std::string::npos) << first;
  EXPECT_TRUE(first.ends_with("(Invalid NAL unit size (-1 > 551).)")) << first;
  directory_.write("text.mp4", "This is a letter, not a video.\n");
  const std::string second = words(directory_ / "text.mp4");
  EXPECT_TRUE(
      second.ends_with("is no video or picture that is known here: Invalid data found when "
                       "processing input"))
      << second;
  // Two files in turn on one thread: each error is of its own.
  const auto one = codecs().open(damaged.string(), format, limits);
  for (int i = 0; i < 28; ++i) one->next(nullptr);
  EXPECT_EQ(words(directory_ / "text.mp4"), second);
  EXPECT_ERROR(ErrorCode::format, "(Invalid NAL unit size (-1 > 551).)", one->next(nullptr));
  EXPECT_EQ(words(damaged), first);
}

// An index of another file, or of an older version of this one.
TEST_F(HostileVideos, ForeignIndices) {
  const fs::path one = test_data("videos/spatiotemporal.mp4"),
                 other = test_data("videos/rotated_0.mov");
  if (one.empty() || other.empty()) GTEST_SKIP() << "videos/ is absent";
  for (const auto& [path, foreign] : {std::pair(one, other), std::pair(other, one)}) {
    const auto index = std::make_shared<const VideoIndex>(codecs().scan(foreign.string(), limits));
    const std::vector<Index> frames{0, index->size() - 1};
    Pixels pixels(frames.size() * format.bytes());
    try {
      codecs().open(path.string(), index, limits)->read({frames, format, {}, pixels.data()});
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(path.filename().string()), std::string::npos);
    }
  }
}

TEST_F(HostileVideos, KeepToTheirMemory) {
  const fs::path path = test_data("videos/spatiotemporal.mp4");
  if (path.empty()) GTEST_SKIP() << "videos/spatiotemporal.mp4 is absent";
  Pixels pixels(format.bytes());
  const CodecLimits little{.memory = 100000};
  EXPECT_THROW(codecs().open(path.string(), format, little)->next(pixels.data()), Error);
  EXPECT_TRUE(codecs().open(path.string(), format, limits)->next(pixels.data()));
}

}  // namespace
}  // namespace framefold

// Frames reached at random equal, bit for bit, those decoded in sequence.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <numeric>
#include <vector>

#include "io/codecs.h"
#include "io/random.h"
#include "kernels/error.h"
#include "tests/codecs_test.h"
#include "tests/data.h"
#include "tests/temporary.h"

namespace framefold {
namespace {

namespace fs = std::filesystem;
using Pixels = std::vector<std::uint8_t>;

class RandomAccess : public NeedsCodecs {
 protected:
  const TemporaryDirectory directory_;
};

constexpr FrameFormat format{20, 28, 3};

struct Sequence {
  Pixels pixels;
  Index frames = 0;
};

Sequence in_sequence(const fs::path& path) {
  const auto reader = codecs().open(path.string(), format, {});
  Sequence all;
  for (;; ++all.frames) {
    all.pixels.resize(static_cast<std::size_t>(all.frames + 1) * format.bytes());
    if (!reader->next(all.pixels.data() + static_cast<Bytes>(all.frames) * format.bytes())) break;
  }
  return all;
}

// How many of the frames read differ from those of the sequence.
Index wrong(const Sequence& all, const std::vector<Index>& frames, const Pixels& read) {
  Index count = 0;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const auto expected = all.pixels.begin() + frames[i] * static_cast<Index>(format.bytes());
    count += std::equal(expected, expected + static_cast<Index>(format.bytes()),
                        read.begin() + static_cast<Index>(i * format.bytes()))
                 ? 0
                 : 1;
  }
  return count;
}

struct Opened {
  explicit Opened(const fs::path& path)
      : index(std::make_shared<const VideoIndex>(codecs().scan(path.string(), {}))),
        reader(codecs().open(path.string(), index, {})) {}
  Pixels read(const std::vector<Index>& frames) const {
    Pixels pixels(frames.size() * format.bytes());
    reader->read({.frames = frames, .format = format, .pixels = pixels.data()});
    return pixels;
  }
  std::shared_ptr<const VideoIndex> index;
  std::unique_ptr<VideoReader> reader;
};

std::vector<Index> strided(Index first, Index stride, Index count, Index size) {
  std::vector<Index> frames;
  for (Index i = 0; i < count; ++i) frames.push_back(std::min(first + i * stride, size - 1));
  return frames;
}

// Every frame at least once with others left out, around every key frame, random clips, backwards.
void expect_exact(const fs::path& path, Index clips, bool every_frame_alone) {
  SCOPED_TRACE(path.filename().string());
  const Sequence all = in_sequence(path);
  const Opened video(path);
  ASSERT_EQ(video.index->size(), all.frames);
  ASSERT_GT(all.frames, 0);
  for (const Index parity : {0, 1}) {
    const std::vector<Index> frames = strided(parity, 2, (all.frames + 1) / 2, all.frames);
    EXPECT_EQ(wrong(all, frames, video.read(frames)), 0) << "every other from " << parity;
  }
  const Draws draws_seed({1, 2});
  Draws draws = draws_seed;
  for (Index i = 0; i < clips; ++i) {
    const std::vector<Index> frames = strided(draws.below(all.frames), 4, 16, all.frames);
    EXPECT_EQ(wrong(all, frames, video.read(frames)), 0) << "16 x 4 from " << frames[0];
  }
  std::vector<Index> singles;
  for (const VideoPacket& packet : video.index->packets)
    if (packet.key && packet.frame >= 0 && clips > 0)
      for (const Index offset : {-1, 0, 1})
        if (packet.frame + offset >= 0 && packet.frame + offset < all.frames)
          singles.push_back(packet.frame + offset);
  if (every_frame_alone) {
    singles.resize(static_cast<std::size_t>(all.frames));
    std::iota(singles.rbegin(), singles.rend(), 0);
  } else if (singles.size() > 12) {
    singles.resize(12);
  }
  for (const Index frame : singles)
    EXPECT_EQ(wrong(all, {frame}, video.read({frame})), 0) << "frame " << frame << " alone";
}

TEST_F(RandomAccess, IsExactInRealFiles) {
  int found = 0;
  for (const char* name :
       {"arm_wrestling.mp4", "bigbuckbunny.mp4", "flipping_a_pancake.mkv", "mma_test.avi",
        "mma_test.mp4", "rotated_0.mov", "rotated_90.mov", "rotated_180.mov", "rotated_270.mov",
        "spatiotemporal.mp4", "structuralize.mp4"}) {
    const fs::path path = test_data(std::string("videos/") + name);
    if (path.empty()) continue;
    ++found;
    expect_exact(path, 2, false);
  }
  if (found == 0) GTEST_SKIP() << "videos/ is absent";
}

// x264 through the ffmpeg command: 130 moving frames.
class Encoded : public RandomAccess {
 protected:
  void SetUp() override {
    RandomAccess::SetUp();
    if (!IsSkipped() && std::system("ffmpeg -v quiet -h encoder=libx264 | grep -q x264") != 0)
      GTEST_SKIP() << "there is no ffmpeg command with libx264";
  }
  fs::path encode(const std::string& name, const std::string& options) const {
    const fs::path path = directory_ / name;
    const std::string command =
        "ffmpeg -v error -f lavfi -i testsrc=size=112x80:rate=25:duration=5.2 " + options +
        " -threads 1 -y '" + path.string() + "'";
    if (std::system(command.c_str()) != 0) fail(ErrorCode::file, "ffmpeg: ", command);
    return path;
  }
};

TEST_F(Encoded, IsExactForEveryStructure) {
  const std::pair<const char*, const char*> videos[] = {
      {"gop-16.mp4", "-c:v libx264 -g 16 -bf 0"},
      {"gop-16-b.mkv", "-c:v libx264 -g 16 -bf 3 -x264-params scenecut=0"},
      {"gop-250.mp4", "-c:v libx264 -g 250 -bf 0"},
      {"gop-250-b.mp4", "-c:v libx264 -g 250 -bf 8 -x264-params b-pyramid=normal:b-adapt=2"},
      {"open.mp4", "-c:v libx264 -g 16 -bf 3 -x264-params open-gop=1:b-pyramid=normal:scenecut=0"},
      {"open.ts", "-c:v libx264 -g 16 -bf 3 -x264-params open-gop=1:scenecut=0"},
      {"intra-refresh.mp4", "-c:v libx264 -g 16 -x264-params intra-refresh=1"},
      {"variable.mp4",
       "-vf \"select='not(eq(mod(n,7),3))+gt(n,60)',setpts='PTS+if(gt(N,60),0.04*(N-60)/TB,0)'\" "
       "-vsync vfr -c:v libx264 -g 16 -bf 2"},
      {"wide.mp4", "-vf setsar=2 -c:v libx264 -g 16 -pix_fmt yuv444p"},
      {"mpeg2.mpg", "-c:v mpeg2video -g 12 -bf 2"},
      {"mpeg4.avi", "-c:v mpeg4 -g 12 -bf 2"},
      {"raw.h264", "-c:v libx264 -g 16 -bf 3"},
  };
  for (const auto& [name, options] : videos) expect_exact(encode(name, options), 6, true);
}

TEST_F(Encoded, DecodesOnlyWhatIsNeeded) {
  const fs::path path =
      encode("b.mp4", "-c:v libx264 -g 16 -bf 3 -x264-params scenecut=0:b-adapt=0:b-pyramid=none");
  Opened video(path);
  video.read({64});  // a key frame
  EXPECT_EQ(video.reader->decoded(), 1);
  video.read({68, 72, 76});  // after it one P frame in four
  EXPECT_EQ(video.reader->decoded(), 1 + 4);
  // Three clips of one pass: what they share is decoded once.
  const std::vector<Index> a{64, 68}, b{68, 72}, c{16, 64};
  std::vector<Pixels> pixels(3, Pixels(2 * format.bytes()));
  const ClipRequest clips[] = {{a, format, {}, pixels[0].data()},
                               {b, format, {}, pixels[1].data()},
                               {c, format, {}, pixels[2].data()}};
  video.reader->read(clips);
  EXPECT_EQ(video.reader->decoded(), 5 + 4);
  const Sequence all = in_sequence(path);
  EXPECT_EQ(wrong(all, a, pixels[0]) + wrong(all, b, pixels[1]) + wrong(all, c, pixels[2]), 0);
}

TEST_F(Encoded, TellsVariableRates) {
  EXPECT_FALSE(codecs().scan(encode("a.mp4", "-c:v libx264").string(), {}).variable_rate);
  const VideoIndex index = codecs().scan(
      encode("b.mp4", "-vf \"select='lt(n,10)+not(mod(n,10))'\" -vsync vfr -c:v libx264").string(),
      {});
  EXPECT_TRUE(index.variable_rate);
  ASSERT_EQ(index.size(), 10 + 12);
  EXPECT_NEAR(index.frames[9].time, 0.36, 1e-6);
  EXPECT_NEAR(index.frames[12].time, 1.2, 1e-6);
  EXPECT_EQ(index.at(1.0), 11);
  const std::vector<Index> taken = frames_at_rate(index, 5, {});
  ASSERT_GE(taken.size(), 8U);
  EXPECT_EQ(std::vector<Index>(taken.begin(), taken.begin() + 8),
            (std::vector<Index>{0, 5, 10, 10, 11, 11, 12, 12}));
}

// Matroska rounds times to milliseconds: at a video's own rate every frame still comes once.
TEST_F(Encoded, TheOwnRateTakesEveryFrameOnce) {
  for (const char* name : {"a.mkv", "a.mp4"})
    for (const char* rate : {"30", "24000/1001", "25"}) {
      const fs::path path = encode(name, std::string("-vsync cfr -c:v libx264 -g 50 -r ") + rate);
      const VideoIndex index = codecs().scan(path.string(), {});
      std::vector<Index> all(static_cast<std::size_t>(index.size()));
      std::iota(all.begin(), all.end(), Index{0});
      const double own = std::string(rate) == "24000/1001" ? 24000.0 / 1001 : std::stod(rate);
      EXPECT_EQ(frames_at_rate(index, own, {}), all) << name << ' ' << rate;
    }
}

// A crop is that part of the upright frame.
TEST_F(RandomAccess, CropsAndHoldsFrames) {
  std::string bytes = "YUV4MPEG2 W16 H8 F25:1 Ip A1:1 Cmono XCOLORRANGE=FULL\n";
  for (int t = 0; t < 3; ++t) {
    bytes += "FRAME\n";
    for (int i = 0; i < 16 * 8; ++i) bytes += static_cast<char>(t * 64 + i / 16 * 4 + i % 16);
  }
  directory_.write("a.y4m", bytes);
  const Opened video(directory_ / "a.y4m");
  Pixels pixels(3 * 2 * 3);
  const std::vector<Index> frames{2, 0, 2};
  const ClipRequest clip{frames, {2, 3, 1}, {3, 5, 2, 3}, pixels.data()};
  video.reader->read(clip);
  const int corner = 3 * 4 + 5;
  for (std::size_t i = 0; i < pixels.size(); ++i)
    EXPECT_EQ(pixels[i], frames[i / 6] * 64 + corner + static_cast<Index>(i / 3 % 2 * 4 + i % 3))
        << i;
  EXPECT_ERROR(ErrorCode::argument, "8 x 16",
               video.reader->read({{frames}, {2, 3, 1}, {7, 0, 2, 3}, pixels.data()}));
  const std::vector<Index> late{3};
  EXPECT_ERROR(ErrorCode::argument, "has 3 frames, frame 3",
               video.reader->read({late, {2, 3, 1}, {}, pixels.data()}));
}

}  // namespace
}  // namespace framefold

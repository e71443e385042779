#include "io/listed_videos.h"

#include <gtest/gtest.h>

#include <set>

#include "io/file.h"
#include "io/loader.h"
#include "io/picture.h"
#include "io/shards.h"
#include "kernels/error.h"
#include "tests/codecs_test.h"
#include "tests/data.h"
#include "tests/temporary.h"

namespace framefold {
namespace {

namespace fs = std::filesystem;
using Pixels = std::vector<std::uint8_t>;

// A YUV4MPEG2 video without compression: the left half of frame i has brightness `first + i`, the
// right half twice that.
std::string halves(int frames, int first, const std::string& aspect = "1:1") {
  std::string video = "YUV4MPEG2 W16 H8 F25:1 Ip A" + aspect + " C420jpeg XCOLORRANGE=FULL\n";
  for (int i = 0; i < frames; ++i) {
    video += "FRAME\n";
    for (int y = 0; y < 8; ++y)
      video += std::string(8, static_cast<char>(first + i)) +
               std::string(8, static_cast<char>(2 * (first + i)));
    video += std::string(2 * 8 * 4, static_cast<char>(128));
  }
  return video;
}

class ListedVideos : public NeedsCodecs {
 protected:
  std::shared_ptr<const VideoSet> open(const std::string& name, double rate = 0) const {
    return listed_videos(read_list({.path = (directory_ / name).string()}),
                         std::make_shared<const VideoFiles>(VideoFiles::Options{.rate = rate}));
  }
  const TemporaryDirectory directory_;
};

Pixels clip_of(const Dataset& data, Index index, Random random = {}) {
  Pixels pixels(static_cast<std::size_t>(data.shape().size()));
  data.read(index, random, {pixels.data(), DType::u8, data.shape()});
  return pixels;
}

SampledClips small(bool training) {
  return {.sampling = {.frames = 3, .stride = 2},
          .height = 4,
          .width = 4,
          .channels = 1,
          .training = training,
          .crops = 3};
}

TEST_F(ListedVideos, ClipsByHand) {
  directory_.write("a/1.y4m", halves(9, 40));
  directory_.write("b/2.y4m", halves(3, 100));
  const auto set = open("");
  ASSERT_EQ(set->size(), 2);
  EXPECT_EQ(set->open(0)->frames(), 9);
  EXPECT_EQ(set->open(0)->width(), 16);
  const auto clips = sampled_clips(set, {}, small(false));
  ASSERT_EQ(clips->size(), 6);
  EXPECT_EQ(clips->label(0), 0);
  EXPECT_EQ(clips->label(5), 1);
  // Frames 2, 4, 6: the left crop, the middle with both halves, the right one.
  const Pixels left = clip_of(*clips, 0), middle = clip_of(*clips, 1), right = clip_of(*clips, 2);
  for (std::size_t t = 0; t < 3; ++t) {
    const int value = 42 + 2 * static_cast<int>(t);
    EXPECT_EQ(left[16 * t + 3], value);
    EXPECT_EQ(middle[16 * t], value);
    EXPECT_EQ(middle[16 * t + 3], 2 * value);
    EXPECT_EQ(right[16 * t], 2 * value);
  }
  const Pixels held = clip_of(*clips, 3);  // three frames: 0, 2, 2
  EXPECT_EQ((std::vector<int>{held[0], held[16], held[32]}), (std::vector<int>{100, 102, 102}));
}

// 25 frames a second taken at 10: seconds 0, 0.1, 0.2, 0.3 show frames 0, 2, 5, 7. Packed, too.
TEST_F(ListedVideos, TakesARate) {
  directory_.write("a/1.y4m", halves(9, 40));
  EXPECT_EQ(open("")->open(0)->rate(), 25);
  const auto set = open("", 10);
  EXPECT_EQ(set->open(0)->frames(), 4);
  SampledClips options = small(false);
  options.sampling = {.frames = 4};
  options.crops = 1;
  const auto clips = sampled_clips(set, {}, options);
  EXPECT_EQ(clips->rate(0), 10);
  Packing packing{.directory = (directory_ / "packed").string(),
                  .height = 4,
                  .width = 4,
                  .channels = 1,
                  .rate = 10};
  pack(*set, packing);
  const auto packed = sampled_clips(open_shards(packing.directory), {}, options);
  EXPECT_EQ(packed->rate(0), 10);
  for (const auto& data : {clips, packed}) {
    const Pixels clip = clip_of(*data, 0);
    EXPECT_EQ((std::vector<int>{clip[0], clip[16], clip[32], clip[48]}),
              (std::vector<int>{40, 42, 45, 47}));
  }
  packing.rate = 5;  // is another packing
  EXPECT_ERROR(ErrorCode::argument, "packed already", pack(*open("", 5), packing));
  options.sampling = {.kind = Sampling::Kind::segments, .frames = 2};
  EXPECT_EQ(sampled_clips(set, {}, options)->rate(0), 5);  // two of four
  directory_.write("raw.txt", "f 4 7\n");
  fs::create_directories(directory_ / "f");
  EXPECT_ERROR(ErrorCode::config, "have no times", open("raw.txt", 10));
}

TEST_F(ListedVideos, PixelsThatAreNotSquare) {
  directory_.write("a/1.y4m", halves(3, 40, "1:2"));
  const auto set = open("");
  EXPECT_EQ(set->open(0)->width(), 8);
  EXPECT_EQ(set->open(0)->height(), 8);
  const auto clips = sampled_clips(set, {}, small(false));
  EXPECT_EQ(clip_of(*clips, 0), clip_of(*clips, 2));  // nothing is cut off
  EXPECT_EQ(clip_of(*clips, 0)[3], 80);
}

TEST_F(ListedVideos, TrainingDrawsWindowsAndAugments) {
  directory_.write("a/1.y4m", halves(9, 40));
  SampledClips options = small(true);
  const auto plain = sampled_clips(open(""), {}, options);
  ASSERT_EQ(plain->size(), 1);
  std::set<int> starts;
  for (std::uint64_t stream = 0; stream < 100; ++stream)
    starts.insert(clip_of(*plain, 0, {1, stream})[0]);
  EXPECT_EQ(starts, (std::set<int>{40, 41, 42, 43, 44}));
  options.augmentation.flip = 1;
  const auto flipped = sampled_clips(open(""), {}, options);
  const Pixels seen = clip_of(*flipped, 0, {1, 1}), was = clip_of(*plain, 0, {1, 1});
  EXPECT_EQ(seen[0], was[3]);
  EXPECT_EQ(seen[3], was[0]);
}

TEST_F(ListedVideos, WorkersDoNotMatter) {
  for (int i = 0; i < 6; ++i) directory_.write(text("a/", i, ".y4m"), halves(9, 10 + 10 * i));
  SampledClips options = small(true);
  options.augmentation.crop = Augmentation::Crop::multi_scale;
  options.augmentation.gaussian = 0.1;
  const auto data = sampled_clips(open(""), {}, options);
  std::vector<Pixels> runs;
  for (const int workers : {0, 2}) {
    Loader loader(data, {.batch = 3, .workers = workers, .seed = 4});
    Pixels run;
    for (int step = 0; step < 4; ++step) {
      Pixels batch(loader.type().bytes());
      loader.next({batch.data(), DType::u8, loader.type().shape});
      run.insert(run.end(), batch.begin(), batch.end());
    }
    runs.push_back(run);
  }
  EXPECT_EQ(runs[0], runs[1]);
}

TEST_F(ListedVideos, RawframesArraysAndMembers) {
  for (int i = 1; i <= 4; ++i)
    write_file(
        (fs::create_directories(directory_ / "f"), directory_ / text("f/img_0000", i, ".png")),
        encode_png({8, 6, 3, static_cast<std::uint8_t>(20 * i)}));
  directory_.write("raw.txt", "f 4 7\n");
  SampledClips options = small(false);
  options.crops = 1;
  options.sampling = {.frames = 2, .stride = 2};
  const auto raw = sampled_clips(open("raw.txt"), {}, options);
  EXPECT_EQ(raw->label(0), 7);
  EXPECT_EQ(clip_of(*raw, 0)[0], 20);
  EXPECT_EQ(clip_of(*raw, 0)[16], 60);

  std::string header = "{'descr': '|u1', 'fortran_order': False, 'shape': (3, 2, 4, 4), }";
  header += std::string(63 - (10 + header.size()) % 64, ' ') + "\n";
  std::string array = std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(header.size()) + '\0';
  array += header;
  for (int i = 0; i < 6; ++i) array += std::string(16, static_cast<char>(10 * i));
  directory_.write("a.npy", array);
  SampledClips whole = options;
  whole.sampling = {.frames = 3};
  whole.channels = 3;
  const Pixels second = clip_of(*sampled_clips(open("a.npy"), {}, whole), 1);
  EXPECT_EQ((std::vector<int>{second[0], second[48], second[96]}), (std::vector<int>{10, 30, 50}));

  const std::string video = halves(3, 40);
  std::string tar(512, '\0');
  tar.replace(0, 5, "1.y4m");
  std::string octal = "00000000000";
  for (std::size_t i = 11, size = video.size(); i-- > 0; size /= 8)
    octal[i] = static_cast<char>('0' + size % 8);
  tar.replace(124, 11, octal);
  tar[156] = '0';
  tar.replace(148, 8, "        ");
  std::size_t sum = 0;
  for (const char c : tar) sum += static_cast<unsigned char>(c);
  for (std::size_t i = 6; i-- > 0; sum /= 8) tar[148 + i] = static_cast<char>('0' + sum % 8);
  tar[154] = '\0';
  directory_.write("a.tar", tar + video + std::string(2048 - video.size() % 512, '\0'));
  const auto member = sampled_clips(open("a.tar"), {}, options);
  EXPECT_EQ(clip_of(*member, 0)[0], 40);
  EXPECT_EQ(clip_of(*member, 0)[16], 42);
  directory_.write(
      "a.tar", tar + std::string(video.size(), 'x') + std::string(2048 - video.size() % 512, '\0'));
  EXPECT_ERROR(ErrorCode::format, "1.y4m", clip_of(*sampled_clips(open("a.tar"), {}, options), 0));
}

// What is packed is what the decoder gives.
TEST_F(ListedVideos, PackedOnesAreTheSame) {
  const fs::path video = test_data("videos/arm_wrestling.mp4");
  if (video.empty()) GTEST_SKIP() << "videos/arm_wrestling.mp4 is absent";
  directory_.write("list.txt", video.string() + " 3\n");
  const auto set = open("list.txt");
  const Packing packing{.directory = (directory_ / "packed").string(), .height = 24, .width = 24};
  EXPECT_EQ(pack(*set, packing).frames, 280);
  const SampledClips options{.sampling = {.frames = 5, .stride = 3}, .height = 24, .width = 24};
  const auto decoded = sampled_clips(set, {}, options);
  const auto packed = sampled_clips(open_shards(packing.directory), {}, options);
  EXPECT_EQ(packed->label(0), 3);
  for (std::uint64_t stream = 0; stream < 3; ++stream)
    EXPECT_EQ(clip_of(*decoded, 0, {1, stream}), clip_of(*packed, 0, {1, stream}));
}

}  // namespace
}  // namespace framefold

#include "io/shards.h"

#include <gtest/gtest.h>
#include <xxhash.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <numeric>

#include "io/file.h"
#include "kernels/error.h"
#include "tests/temporary.h"

namespace framefold {
namespace {

namespace fs = std::filesystem;
using Pixels = std::vector<std::uint8_t>;

// Frame t of video i has the value 10 i + t; video `bad` cannot be opened.
class Plain final : public VideoSet {
 public:
  explicit Plain(Index size, Index bad = -1) : size_(size), bad_(bad) {}
  Index size() const override { return size_; }
  std::string name(Index video) const override { return text("video ", video); }
  Index label(Index video) const override { return video % 2; }
  std::string description() const override { return "plain"; }
  std::unique_ptr<Video> open(Index video) const override {
    ++opened;
    if (video == bad_) fail(ErrorCode::format, "video ", video, " is damaged");
    return std::make_unique<Values>(video);
  }
  mutable std::atomic<int> opened = 0;

 private:
  class Values final : public Video {
   public:
    explicit Values(Index video) : video_(video) {}
    Index frames() const override { return 3 + video_; }
    Index height() const override { return 8; }
    Index width() const override { return 12; }
    void read(std::span<const Index> frames, const Box& box, Tensor clip) override {
      EXPECT_EQ(box, (Box{0, 2, 8, 8}));
      auto* out = clip.as<std::uint8_t>();
      for (const Index frame : frames)
        out = std::fill_n(out, clip.size() / clip.shape[0],
                          static_cast<std::uint8_t>(10 * video_ + frame));
    }

   private:
    Index video_;
  };
  Index size_, bad_;
};

class ShardCache : public testing::Test {
 protected:
  // Two or three videos a shard.
  Packing options() const {
    return {.directory = (directory_ / "packed").string(),
            .height = 4,
            .width = 4,
            .channels = 1,
            .shard = 16 * 6,
            .threads = 2,
            .classes = {"a", "b"}};
  }
  fs::path in(const std::string& name) const { return directory_ / "packed" / name; }
  const TemporaryDirectory directory_;
};

Pixels clip_of(const VideoSet& set, Index video, const std::vector<Index>& frames) {
  Pixels pixels(frames.size() * 16);
  const Shape shape{static_cast<Index>(frames.size()), 4, 4, 1};
  set.open(video)->read(frames, {0, 0, 4, 4}, {pixels.data(), DType::u8, shape});
  return pixels;
}

TEST_F(ShardCache, OnePackingAtATime) {
  class Second final : public VideoSet {
   public:
    Second(const VideoSet& set, const Packing& options) : set_(set), options_(options) {}
    Index size() const override { return set_.size(); }
    std::string name(Index video) const override { return set_.name(video); }
    Index label(Index video) const override { return set_.label(video); }
    std::string description() const override { return set_.description(); }
    std::unique_ptr<Video> open(Index video) const override {
      EXPECT_ERROR(ErrorCode::file, "another process is packing into", pack(set_, options_));
      return set_.open(video);
    }

   private:
    const VideoSet& set_;
    const Packing& options_;
  };
  const Plain set(3);
  const Packing packing = options();
  EXPECT_EQ(pack(Second(set, packing), packing).videos, 3);
  EXPECT_EQ(pack(set, packing).kept, 2);
}

TEST_F(ShardCache, NamesNeedNotBeText) {
  class Odd final : public VideoSet {
   public:
    Index size() const override { return set_.size(); }
    std::string name(Index video) const override { return set_.name(video) + "\xff\x1b[31m"; }
    Index label(Index video) const override { return set_.label(video); }
    std::string description() const override { return set_.description(); }
    std::unique_ptr<Video> open(Index video) const override { return set_.open(video); }

   private:
    Plain set_{2};
  };
  pack(Odd(), options());
  EXPECT_EQ(open_shards(options().directory)->name(1), "video 1\xEF\xBF\xBD\x1b[31m");
}

// A video of several pages: what lies past the end cannot even be touched.
TEST_F(ShardCache, CutShortWhileInUseIsAnErrorThatNamesTheShard) {
  Packing large = options();
  large.height = large.width = 64;
  large.shard = 1;
  pack(Plain(2), large);
  const auto set = open_shards(large.directory);
  Pixels pixels(4 * 4096);
  const auto read = [&](Video& video, Index count) {
    std::vector<Index> frames(static_cast<std::size_t>(count));
    std::iota(frames.begin(), frames.end(), Index{0});
    video.read(frames, {0, 0, 64, 64}, {pixels.data(), DType::u8, {count, 64, 64, 1}});
  };
  const auto opened = set->open(0);
  read(*opened, 3);
  fs::resize_file(in("shard-00000.u8"), 4096);
  EXPECT_ERROR(ErrorCode::format, "shard-00000.u8: 4096 bytes, the index says 12288",
               read(*opened, 3));
  fs::resize_file(in("shard-00001.u8"), 100);
  EXPECT_ERROR(ErrorCode::format, "shard-00001.u8", set->open(1));
  EXPECT_ERROR(ErrorCode::format, "shard-00000.u8", open_shards(large.directory));
}

TEST_F(ShardCache, PackedAndReadBack) {
  Index told = 0;
  const Packed packed = pack(Plain(5), options(), [&](Index done) { told = done; });
  EXPECT_EQ(told, 5);
  EXPECT_EQ(packed.videos, 5);
  EXPECT_EQ(packed.frames, 3 + 4 + 5 + 6 + 7);
  EXPECT_EQ(packed.bytes, 25 * 16U);
  EXPECT_EQ(packed.shards, 3);  // 3 + 4, 5 + 6, 7 frames: closed at 6 or more
  EXPECT_FALSE(fs::exists(in("shard-00000.json")));
  const auto set = open_shards(options().directory);
  ASSERT_EQ(set->size(), 5);
  for (Index video = 0; video < 5; ++video) {
    EXPECT_EQ(set->name(video), text("video ", video));
    EXPECT_EQ(set->label(video), video % 2);
    EXPECT_EQ(set->open(video)->frames(), 3 + video);
    const Pixels pixels = clip_of(*set, video, {0, 2});
    EXPECT_EQ(pixels.front(), 10 * video);
    EXPECT_EQ(pixels.back(), 10 * video + 2);
  }
  // Packed again: nothing is decoded.
  const Plain again(5);
  EXPECT_EQ(pack(again, options()).kept, packed.shards);
  EXPECT_EQ(again.opened, 0);
}

TEST_F(ShardCache, Strides) {
  Packing every = options();
  every.stride = 2;
  EXPECT_EQ(pack(Plain(2), every).frames, 2 + 2);
  const auto set = open_shards(every.directory);
  EXPECT_EQ(clip_of(*set, 1, {0, 1})[16], 12);
}

TEST_F(ShardCache, InterruptedPackingGoesOn) {
  EXPECT_ERROR(ErrorCode::format, "video 3 is damaged", pack(Plain(5, 3), options()));
  EXPECT_FALSE(is_packed(options().directory));
  EXPECT_ERROR(ErrorCode::file, "holds no index.json", open_shards(options().directory));
  write_file(in("shard-00007.u8.1-1.partial"), "left by a process that was killed");
  const Plain set(5);
  const Packed packed = pack(set, options());
  EXPECT_GE(packed.kept, 1);
  EXPECT_LT(set.opened, 5);
  EXPECT_EQ(packed.frames, 25);
  EXPECT_FALSE(fs::exists(in("shard-00007.u8.1-1.partial")));
  EXPECT_EQ(clip_of(*open_shards(options().directory), 4, {6})[0], 46);
}

TEST_F(ShardCache, BadVideosAreLeftOutWhereThatIsAllowed) {
  Packing skipping = options();
  skipping.skip_bad = true;
  const Packed packed = pack(Plain(5, 3), skipping);
  EXPECT_EQ(packed.videos, 4);
  EXPECT_EQ(packed.skipped, std::vector<std::string>{"video 3 is damaged"});
  EXPECT_EQ(open_shards(skipping.directory)->name(3), "video 4");
  const TemporaryDirectory other;
  skipping.directory = other.path().string();
  EXPECT_ERROR(ErrorCode::format, "none of the 1 videos", pack(Plain(1, 0), skipping));
}

TEST_F(ShardCache, OtherVideosNeedAnotherDirectory) {
  pack(Plain(5), options());
  EXPECT_ERROR(ErrorCode::argument, "is packed already", pack(Plain(4), options()));
  Packing larger = options();
  larger.height = 6;
  EXPECT_ERROR(ErrorCode::argument, "is packed already", pack(Plain(5), larger));
  EXPECT_ERROR(ErrorCode::argument, "stride 0", pack(Plain(5), {.stride = 0}));
}

TEST_F(ShardCache, DamageIsAnError) {
  pack(Plain(5), options());
  const auto with = [&](const std::string& name, auto change) {
    const std::string whole = read_file(in(name), 1 << 20);
    std::string content = whole;
    change(content);
    write_file(in(name), content);
    return whole;
  };
  std::string whole = with("shard-00000.u8", [](std::string& bytes) { bytes[5] ^= 1; });
  {
    const auto set = open_shards(options().directory);
    EXPECT_ERROR(ErrorCode::format, "shard-00000.u8: the frames of video 0 are damaged",
                 set->open(0));
    EXPECT_NO_THROW(set->open(4));
  }
  write_file(in("shard-00000.u8"), whole);
  whole = with("shard-00000.u8", [](std::string& bytes) { bytes.pop_back(); });
  EXPECT_ERROR(ErrorCode::format, "the index says", open_shards(options().directory));
  write_file(in("shard-00000.u8"), whole);
  whole = with("index.json", [](std::string& json) { json[json.find("\"label\":1") + 8] = '3'; });
  EXPECT_ERROR(ErrorCode::format, "damaged", open_shards(options().directory));
  for (std::size_t length = 0; length < whole.size(); length += 37) {
    write_file(in("index.json"), whole.substr(0, length));
    EXPECT_ERROR(ErrorCode::format, "index.json", open_shards(options().directory));
  }
  write_file(in("index.json"), whole);
  EXPECT_NO_THROW(open_shards(options().directory));
  fs::remove(in("shard-00001.u8"));
  EXPECT_ERROR(ErrorCode::file, "shard-00001.u8", open_shards(options().directory));
}

// Numbers that no packing writes, under a hash that fits them.
TEST_F(ShardCache, ImpossibleNumbers) {
  pack(Plain(5), options());
  const auto whole = nlohmann::ordered_json::parse(read_file(in("index.json"), 1 << 20));
  const auto opened_with = [&](auto change) {
    auto file = whole;
    change(file["content"]);
    const std::string content = file["content"].dump();
    char hash[17];
    std::snprintf(hash, sizeof hash, "%016llx",
                  static_cast<unsigned long long>(XXH3_64bits(content.data(), content.size())));
    file["hash"] = hash;
    write_file(in("index.json"), file.dump());
    return open_shards(options().directory);
  };
  EXPECT_NO_THROW(opened_with([](auto&) {}));
  EXPECT_ERROR(ErrorCode::format, "4.18e+20 is no whole number",
               opened_with([](auto& index) { index["width"] = 4.18e20; }));
  EXPECT_ERROR(ErrorCode::format, "18446744073709551615 is no whole number",
               opened_with([](auto& index) { index["height"] = ~std::uint64_t{0}; }));
  EXPECT_ERROR(ErrorCode::format, "\"4\" is no whole number",
               opened_with([](auto& index) { index["channels"] = "4"; }));
  EXPECT_ERROR(ErrorCode::format, "-1 is no whole number",
               opened_with([](auto& index) { index["videos"][0]["offset"] = -1; }));
  EXPECT_ERROR(ErrorCode::format, "a label of 9223372036854775807", opened_with([](auto& index) {
                 index["videos"][1]["label"] = std::numeric_limits<Index>::max();
               }));
}

TEST_F(ShardCache, ClipsAreSampled) {
  pack(Plain(5), options());
  const SampledClips sampled{
      .sampling = {.frames = 4, .clips = 2}, .height = 4, .width = 4, .channels = 1, .crops = 3};
  const Split parts = sampled_split(open_shards(options().directory), 0.4, sampled);
  EXPECT_EQ(parts.train->size(), 3);
  ASSERT_EQ(parts.held_out->size(), 2 * 2 * 3);
  EXPECT_EQ(parts.train->shape(), (Shape{4, 4, 4, 1}));
  EXPECT_NE(parts.held_out->name(11).find("clip 1 crop 2"), std::string::npos);
  for (const auto& part : {parts.train, parts.held_out})
    for (Index i = 0; i < part->size(); ++i) {
      Pixels pixels(64);
      part->read(i, {1, 2}, {pixels.data(), DType::u8, part->shape()});
      const Index video = part->name(i)[6] - '0';
      EXPECT_EQ(part->label(i), video % 2);
      for (std::size_t t = 0; t < 4; ++t) {
        EXPECT_EQ(pixels[16 * t] / 10, video);
        EXPECT_TRUE(t == 0 || video == 0 || pixels[16 * t] == pixels[16 * t - 16] + 1);
      }
    }
  SampledClips windows = sampled;
  windows.sampling = {.kind = Sampling::Kind::windows, .frames = 2};
  EXPECT_EQ(sampled_clips(open_shards(options().directory), {}, windows)->size(),
            2 + 2 + 3 + 3 + 4);
  windows.channels = 3;
  const auto colour = sampled_clips(open_shards(options().directory), {4}, windows);
  Pixels pixels(96);
  EXPECT_ERROR(ErrorCode::shape, "packed were 1",
               colour->read(0, {}, {pixels.data(), DType::u8, colour->shape()}));
}

}  // namespace
}  // namespace framefold

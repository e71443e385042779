#include "io/corrupt.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "cli/parts.h"
#include "engine/executor.h"
#include "models/model.h"
#include "tests/temporary.h"

namespace framefold {
namespace {

using Pixels = std::vector<std::uint8_t>;

// Clips of 3 x 4 x 5: values of clip i are 10 i, in epochs' second half of draws one more.
class Steps final : public Dataset {
 public:
  Index size() const override { return 12; }
  Shape shape() const override { return {3, 4, 5, 1}; }
  std::string name(Index index) const override { return text("clip-", index); }
  std::string description() const override { return "steps"; }

 private:
  void do_read(Index index, Random random, Tensor clip) const override {
    const auto value = static_cast<std::uint8_t>(10 * index + random.word(0) % 2);
    std::fill_n(clip.as<std::uint8_t>(), clip.size(), value);
  }
};

constexpr Index clip_size = 3 * 4 * 5;

Pixels read(const Dataset& pairs, Index index, Random random) {
  Pixels pair(2 * clip_size);
  pairs.read(index, random, {pair.data(), DType::u8, pairs.shape()});
  return pair;
}

TEST(Corrupt, TheSecondHalfIsClean) {
  const auto clean = std::make_shared<Steps>();
  const auto pairs = paired(clean, {.gaussian = 0.1}, CorruptionDraw::by_random);
  EXPECT_EQ(pairs->shape(), (Shape{6, 4, 5, 1}));
  EXPECT_EQ(pairs->size(), 12);
  EXPECT_EQ(pairs->name(3), "clip-3");
  for (const Random random : {Random{1, 2}, Random{1, 3}}) {
    const Pixels pair = read(*pairs, 7, random);
    Pixels expected(clip_size);
    clean->read(7, random, {expected.data(), DType::u8, clean->shape()});
    EXPECT_TRUE(std::equal(expected.begin(), expected.end(), pair.begin() + clip_size));
    double mean = 0, square = 0;
    for (Index i = 0; i < clip_size; ++i) {
      const double noise = (pair[static_cast<std::size_t>(i)] - expected[0]) / 25.5;
      mean += noise / clip_size;
      square += noise * noise / clip_size;
    }
    EXPECT_NEAR(mean, 0, 0.4);    // three deviations of 60 normal numbers' mean
    EXPECT_NEAR(square, 1, 0.6);  // and of their mean square
    EXPECT_EQ(pair, read(*pairs, 7, random));
  }
}

// A mask as large as the frame, and salt on every pixel: known without drawing.
TEST(Corrupt, KnownValues) {
  const auto clean = std::make_shared<Steps>();
  const Pixels masked =
      read(*paired(clean, {.masks = 1, .mask_side = 1}, CorruptionDraw::by_random), 4, {5, 6});
  EXPECT_TRUE(std::all_of(masked.begin(), masked.begin() + clip_size,
                          [](std::uint8_t value) { return value == 128; }));
  EXPECT_LT(masked.back(), 42);
  const Pixels salted = read(*paired(clean, {.salt = 1}, CorruptionDraw::by_random), 4, {5, 6});
  EXPECT_EQ(std::count(salted.begin(), salted.begin() + clip_size, 0) +
                std::count(salted.begin(), salted.begin() + clip_size, 255),
            clip_size);
}

TEST(Corrupt, HeldOutClipsAreCorruptedAlikeAlways) {
  const auto clean = std::make_shared<Steps>();
  const auto noise = [&](CorruptionDraw draw, Index index, Random random) {
    const Pixels pair = read(*paired(clean, {.gaussian = 0.1}, draw), index, random);
    std::vector<int> differences;
    for (std::size_t i = 0; i < clip_size; ++i)
      if (pair[i] != 0) differences.push_back(pair[i] - pair[clip_size + i]);
    return differences;
  };
  const auto by_index = CorruptionDraw::by_index;
  EXPECT_EQ(noise(by_index, 11, {1, 2}).size(), clip_size);  // bright enough to stay above black
  // What the clip itself draws (one brightness more or not) is no part of the corruption.
  EXPECT_EQ(noise(by_index, 11, {1, 2}), noise(by_index, 11, {9, 9}));
  EXPECT_NE(noise(by_index, 11, {1, 2}), noise(by_index, 10, {1, 2}));
  EXPECT_NE(noise(CorruptionDraw::by_random, 11, {1, 2}),
            noise(CorruptionDraw::by_random, 11, {9, 9}));
}

struct Fed {
  Pixels clip, target;
  bool operator==(const Fed&) const = default;
};

std::vector<Fed> batches(int workers, const Augmentation& corruption, Index from) {
  LoaderSource source(std::make_shared<Steps>(), {.batch = 5, .workers = workers, .seed = 3}, {}, 0,
                      0, corruption);
  source.seek(from);
  std::vector<Fed> all;
  for (Index step = from; step < 6; ++step) {
    Fed fed{Pixels(5 * clip_size), Pixels(5 * clip_size)};
    const std::array inputs = {Tensor{fed.clip.data(), DType::u8, {5, 3, 4, 5, 1}},
                               Tensor{fed.target.data(), DType::u8, {5, 3, 4, 5, 1}}};
    source.next({inputs.data(), changes(corruption) ? 2U : 1U});
    all.push_back(std::move(fed));
  }
  return all;
}

TEST(Corrupt, BatchesDependOnNeitherWorkersNorWhereTheyBegin) {
  const Augmentation corruption{.masks = 2, .walk = 0.1, .poisson = 30, .salt = 0.1};
  const std::vector<Fed> all = batches(0, corruption, 0);
  EXPECT_EQ(all, batches(3, corruption, 0));
  const std::vector<Fed> later = batches(2, corruption, 4);
  EXPECT_TRUE(std::equal(later.begin(), later.end(), all.begin() + 4));
  const std::vector<Fed> clean = batches(1, {}, 0);
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(all[i].target, clean[i].clip);
    EXPECT_NE(all[i].clip, all[i].target);
  }
}

TEST(Corrupt, RefusesOtherShapes) {
  Pixels pairs(2 * clip_size), one(clip_size), other(clip_size);
  const Tensor to{one.data(), DType::u8, {1, 3, 4, 5, 1}};
  EXPECT_ERROR(ErrorCode::shape, "expected u8 [B, 2T, H, W, C]",
               unpair({pairs.data(), DType::u8, {2, 3, 4, 5, 1}}, to, to));
}

// Every model's loss is that between its reconstruction and the target, whatever it is fed.
TEST(Corrupt, ModelsCompareWithTheTarget) {
  for (const ModelInfo& info : models()) {
    if (!info.layered) continue;  // masked models refuse: tested below
    SCOPED_TRACE(info.name);
    Graph graph;
    const Autoencoder model = info.build(
        graph,
        {.name = std::string(info.name), .clip = {4, 8, 8, 3}, .widths = {4, 6}, .restores = true},
        2);
    Parameters parameters(graph);
    parameters.initialize(5);
    Executor executor(std::make_shared<Plan>(
                          compile(graph, {.loss = model.loss, .fetch = {model.reconstruction}})),
                      parameters);
    const Tensor clip = executor.input("clip"), target = executor.input("target");
    for (Index i = 0; i < clip.size(); ++i) {
      clip.as<std::uint8_t>()[i] = static_cast<std::uint8_t>(i * 37 % 256);
      target.as<std::uint8_t>()[i] = static_cast<std::uint8_t>(i * 11 % 256);
    }
    executor.run({}, false);
    const View made = executor.value(model.reconstruction);
    double expected = 0;
    for (Index i = 0; i < made.size(); ++i) {
      const double error =
          static_cast<double>(made.as<float>()[i]) - static_cast<double>(i * 11 % 256) / 255;
      expected += error * error / static_cast<double>(made.size());
    }
    EXPECT_NEAR(static_cast<double>(executor.loss()), expected, 1e-5 * expected);
    // What it is fed still matters.
    const std::vector<float> before(made.as<float>(), made.as<float>() + made.size());
    std::fill_n(clip.as<std::uint8_t>(), clip.size(), std::uint8_t{255});
    executor.run({}, false);
    EXPECT_FALSE(
        std::equal(before.begin(), before.end(), executor.value(model.reconstruction).as<float>()));
  }
}

TEST(Corrupt, MaskedModelsTakeNoOtherTarget) {
  Graph graph;
  EXPECT_ERROR(
      ErrorCode::config, "takes no other target",
      build_model(graph,
                  {.name = "videomae", .clip = {4, 32, 32, 3}, .restores = true, .size = "ti"}, 1));
}

}  // namespace
}  // namespace framefold

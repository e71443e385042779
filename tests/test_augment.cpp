#include "io/augment.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <numeric>
#include <set>

#include "io/augment_parts.h"
#include "io/loader.h"
#include "io/mix.h"
#include "kernels/error.h"
#include "tests/temporary.h"

namespace framefold {
namespace {

using Pixels = std::vector<std::uint8_t>;

struct Clip {
  Shape shape;
  Pixels pixels;

  Clip(const Shape& shape, Pixels pixels) : shape(shape), pixels(std::move(pixels)) {}
  explicit Clip(const Shape& shape, std::uint8_t value = 0)
      : shape(shape), pixels(static_cast<std::size_t>(shape.size()), value) {}
  Tensor tensor() { return {pixels.data(), DType::u8, shape}; }
  View view() const { return {pixels.data(), DType::u8, shape}; }
};

Clip noisy(const Shape& shape, std::uint64_t seed = 1) {
  Clip clip(shape);
  for (std::size_t i = 0; i < clip.pixels.size(); ++i)
    clip.pixels[i] = static_cast<std::uint8_t>(Random{seed, 0}.below(i, 256));
  return clip;
}

Pixels apply(const Augmentation& options, const Clip& source, Random random = {}) {
  Clip clip(source.shape, 77);
  Augmenter(options).apply(source.view(), random, clip.tensor());
  return clip.pixels;
}

// One part on its own.
Pixels done(Clip clip, const std::function<void(Tensor)>& part) {
  part(clip.tensor());
  return clip.pixels;
}

// For sets: GCC 12 warns of its own comparison of vectors of bytes.
std::string text_of(const Pixels& pixels) { return {pixels.begin(), pixels.end()}; }

double mean(const Pixels& pixels) {
  return std::accumulate(pixels.begin(), pixels.end(), 0.0) / static_cast<double>(pixels.size());
}
double deviation(const Pixels& pixels) {
  const double middle = mean(pixels);
  double sum = 0;
  for (const double value : pixels) sum += (value - middle) * (value - middle);
  return std::sqrt(sum / static_cast<double>(pixels.size()));
}

// Every augmentation by itself.
std::map<std::string, Augmentation> each_one() {
  return {{"multi-scale", {.crop = Augmentation::Crop::multi_scale}},
          {"resized", {.crop = Augmentation::Crop::resized}},
          {"flip", {.flip = 0.5}},
          {"rotate", {.rotate = 20}},
          {"shear", {.shear = 20}},
          {"zoom", {.zoom = 0.3}},
          {"shift", {.shift = 0.2}},
          {"brightness", {.brightness = 0.5}},
          {"contrast", {.contrast = 0.5}},
          {"saturation", {.saturation = 0.9}},
          {"hue", {.hue = 0.3}},
          {"rand", {.rand_ops = 4}},
          {"blur", {.blur = 2}},
          {"erase", {.erase = 1}},
          {"masks", {.masks = 2}},
          {"gaussian", {.gaussian = 0.1}},
          {"walk", {.walk = 0.05}},
          {"poisson", {.poisson = 30}},
          {"salt", {.salt = 0.2}}};
}

TEST(Augment, NothingAtZeroStrength) {
  for (const Index channels : {1, 3}) {
    const Clip source = noisy({3, 7, 9, channels});
    EXPECT_EQ(apply({}, source, {5, 6}), source.pixels);
  }
  EXPECT_FALSE(changes({}));
  for (const auto& [name, options] : each_one()) EXPECT_TRUE(changes(options)) << name;
}

TEST(Augment, IsAFunctionOfItsArguments) {
  const Clip source = noisy({2, 12, 10, 3});
  for (const auto& [name, options] : each_one()) {
    std::set<std::string> seen;
    for (std::uint64_t stream = 0; stream < 20; ++stream) {
      const Pixels once = apply(options, source, {1, stream});
      EXPECT_EQ(once, apply(options, source, {1, stream})) << name;
      seen.insert(text_of(once));
    }
    EXPECT_GT(seen.size(), 1U) << name;
    // A second augmentation does not change what the first draws: salt covers everything.
    Augmentation both = options;
    both.salt = 1;
    EXPECT_EQ(apply(both, source, {1, 5}), apply({.salt = 1}, source, {1, 5})) << name;
  }
}

// What is not noise does the same to every frame.
TEST(Augment, FramesShareTheDraw) {
  Clip still({3, 11, 13, 3});
  const Clip frame = noisy({1, 11, 13, 3});
  for (std::size_t i = 0; i < still.pixels.size(); ++i)
    still.pixels[i] = frame.pixels[i % frame.pixels.size()];
  for (const auto& [name, options] : each_one()) {
    if (options.gaussian + options.walk + options.poisson + options.salt + options.erase > 0)
      continue;
    for (std::uint64_t stream = 0; stream < 10; ++stream) {
      const Pixels out = apply(options, still, {2, stream});
      const auto third = static_cast<Index>(out.size() / 3);
      EXPECT_TRUE(std::equal(out.begin(), out.begin() + third, out.begin() + third)) << name;
      EXPECT_TRUE(std::equal(out.begin(), out.begin() + third, out.begin() + 2 * third)) << name;
    }
  }
}

TEST(Augment, CropsByHand) {
  const Augmenter scales({.crop = Augmentation::Crop::multi_scale});
  std::map<std::pair<Index, Index>, int> sizes;
  std::set<std::pair<Index, Index>> corners;
  for (std::uint64_t stream = 0; stream < 4000; ++stream) {
    const Box box = scales.crop(240, 320, 224, 224, {1, stream});
    ++sizes[{box.height, box.width}];
    if (box.height == 210 && box.width == 180) corners.insert({box.y, box.x});
    ASSERT_TRUE(box.y >= 0 && box.x >= 0 && box.y + box.height <= 240 && box.x + box.width <= 320);
  }
  EXPECT_EQ(sizes.size(), 10U);
  EXPECT_EQ(sizes.count({240, 240}), 1U);
  EXPECT_EQ(sizes.count({158, 180}), 1U);
  EXPECT_EQ(sizes.count({240, 180}), 0U);  // two steps apart
  for (const auto& [size, count] : sizes) EXPECT_NEAR(count, 400, 5 * 19);
  EXPECT_EQ(corners, (std::set<std::pair<Index, Index>>{{0, 0},
                                                        {0, 140},
                                                        {28, 0},
                                                        {28, 140},
                                                        {14, 70},
                                                        {14, 0},
                                                        {14, 140},
                                                        {28, 70},
                                                        {0, 70},
                                                        {7, 35},
                                                        {7, 105},
                                                        {21, 35},
                                                        {21, 105}}));

  const Augmenter shares({.crop = Augmentation::Crop::resized, .scale_low = 0.08});
  double low = 1, high = 0;
  for (std::uint64_t stream = 0; stream < 2000; ++stream) {
    const Box box = shares.crop(240, 320, 224, 224, {2, stream});
    const double area = static_cast<double>(box.height * box.width) / (240.0 * 320);
    const double aspect = static_cast<double>(box.width) / static_cast<double>(box.height);
    low = std::min(low, area);
    high = std::max(high, area);
    ASSERT_TRUE(box.y + box.height <= 240 && box.x + box.width <= 320);
    ASSERT_GT(aspect, 0.74);
    ASSERT_LT(aspect, 1.35);
  }
  EXPECT_NEAR(low, 0.08, 0.01);
  EXPECT_GT(high, 0.95);
  // Another size for the same draw at another scale of the picture: the draw is relative.
  EXPECT_EQ(Augmenter({}).crop(30, 40, 10, 10, {}), (Box{0, 5, 30, 30}));
}

TEST(Augment, ResizesByHand) {
  // Halving: a triangle of two pixels' reach, weights 1 3 3 1 over 8, at the edges 3 3 1 over 7.
  const Clip row({1, 1, 4, 1}, Pixels{0, 80, 160, 240});
  Clip half({1, 1, 2, 1});
  augment::resize(row.view(), {0, 0, 1, 4}, half.tensor());
  EXPECT_EQ(half.pixels, (Pixels{57, 183}));  // 400 / 7, 1280 / 7
  // Doubling: a quarter of the way to the neighbour.
  const Clip two({1, 1, 2, 1}, Pixels{0, 100});
  Clip four({1, 1, 4, 1});
  augment::resize(two.view(), {0, 0, 1, 2}, four.tensor());
  EXPECT_EQ(four.pixels, (Pixels{0, 25, 75, 100}));
  // A box of both frames, colours apart.
  const Clip source = noisy({2, 4, 5, 3});
  Clip part({2, 2, 3, 3});
  augment::resize(source.view(), {1, 2, 2, 3}, part.tensor());
  for (Index t = 0; t < 2; ++t)
    for (Index y = 0; y < 2; ++y)
      for (Index i = 0; i < 9; ++i)
        EXPECT_EQ(part.pixels[static_cast<std::size_t>((t * 2 + y) * 9 + i)],
                  source.pixels[static_cast<std::size_t>(((t * 4 + y + 1) * 5 + 2) * 3 + i)]);
  for (const Index side : {1, 3, 8, 17}) {  // a flat picture stays flat
    Clip flat({1, side, side + 1, 1});
    augment::resize(Clip({1, 5, 7, 1}, 201).view(), {0, 0, 5, 7}, flat.tensor());
    EXPECT_EQ(flat.pixels, Pixels(flat.pixels.size(), 201));
  }
}

TEST(Augment, FlipByHand) {
  const Clip clip({1, 2, 3, 1}, Pixels{1, 2, 3, 4, 5, 6});
  EXPECT_EQ(done(clip, augment::flip), (Pixels{3, 2, 1, 6, 5, 4}));
  EXPECT_EQ(apply({.flip = 1}, clip), (Pixels{3, 2, 1, 6, 5, 4}));
  int flipped = 0;
  for (std::uint64_t stream = 0; stream < 1000; ++stream)
    flipped += apply({.flip = 0.25}, clip, {1, stream}) != clip.pixels;
  EXPECT_NEAR(flipped, 250, 5 * 14);
}

TEST(Augment, WarpsByHand) {
  const Clip clip({1, 3, 3, 1}, Pixels{1, 2, 3, 4, 5, 6, 7, 8, 9});
  using augment::hold;
  const auto warped = [&](const augment::Affine& affine, int outside) {
    return done(clip, [&](Tensor tensor) { augment::warp(tensor, affine, outside); });
  };
  EXPECT_EQ(warped({}, hold), clip.pixels);
  EXPECT_EQ(warped({.x0 = 1}, 99), (Pixels{2, 3, 99, 5, 6, 99, 8, 9, 99}));
  EXPECT_EQ(warped({.y0 = -1}, hold), (Pixels{1, 2, 3, 1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(warped({.xx = 0, .xy = -1, .yx = 1, .yy = 0}, 0), (Pixels{3, 6, 9, 2, 5, 8, 1, 4, 7}));
  EXPECT_EQ(warped({.x0 = 0.5}, hold), (Pixels{2, 3, 3, 5, 6, 6, 8, 9, 9}));
  // Half of what lies outside: (3 + 100 + 1) / 2.
  EXPECT_EQ(warped({.x0 = 0.5}, 100)[2], 52);
}

TEST(Augment, ColoursByHand) {
  const Clip clip({1, 1, 2, 3}, Pixels{100, 50, 200, 10, 10, 10});
  using namespace augment;
  EXPECT_EQ(done(clip, [](Tensor t) { brightness(t, 1.5); }), (Pixels{150, 75, 255, 15, 15, 15}));
  // Grey of the first: (299 * 100 + 587 * 50 + 114 * 200 + 500) / 1000 = 82; mean with 10: 46.
  EXPECT_EQ(done(clip, [](Tensor t) { contrast(t, 0.5); }), (Pixels{73, 48, 123, 28, 28, 28}));
  EXPECT_EQ(done(clip, [](Tensor t) { saturation(t, 0); }), (Pixels{82, 82, 82, 10, 10, 10}));
  EXPECT_EQ(done(clip, [](Tensor t) { saturation(t, 2); }), (Pixels{118, 18, 255, 10, 10, 10}));
  // A third of a turn moves red to green.
  EXPECT_EQ(done(clip, [](Tensor t) { hue(t, 1 / 3.); }), (Pixels{200, 100, 50, 10, 10, 10}));
  EXPECT_EQ(done(clip, [](Tensor t) { hue(t, -1 / 3.); }), (Pixels{50, 200, 100, 10, 10, 10}));
  EXPECT_EQ(done(clip, [](Tensor t) { hue(t, 0); }), clip.pixels);
  const Clip grey({1, 1, 4, 1}, Pixels{50, 75, 100, 100});
  EXPECT_EQ(done(grey, autocontrast), (Pixels{0, 127, 255, 255}));
  for (const auto& part : {std::function<void(Tensor)>([](Tensor t) { saturation(t, 0); }),
                           std::function<void(Tensor)>([](Tensor t) { hue(t, 0.3); })})
    EXPECT_EQ(done(grey, part), grey.pixels);
  EXPECT_EQ(done(Clip({1, 3, 3, 1}, 9), autocontrast), Pixels(9, 9));
  // Equalised: 512 pixels of the two darkest of three values, which come to lie at 0, half, white.
  Clip dark({1, 1, 1024, 1}, 3);
  std::fill_n(dark.pixels.begin(), 512, std::uint8_t{2});
  std::fill_n(dark.pixels.begin(), 4, std::uint8_t{200});
  // Sum 1024, last 4: step (1024 - 4) / 255 = 4; 2 -> 2 / 4 = 0; 3 -> 510 / 4 = 127; 200 -> 255.
  const Pixels equal = done(dark, equalize);
  EXPECT_EQ(equal[10], 0);
  EXPECT_EQ(equal[600], 127);
  EXPECT_EQ(equal[0], 255);
}

TEST(Augment, NeighboursByHand) {
  Clip point({1, 5, 5, 1});
  point.pixels[12] = 130;
  const Pixels sharp =
      done(point, [](Tensor t) { augment::sharpness(t, 0); });  // fully smoothed: 5 of 13, then 1
  EXPECT_EQ(sharp[12], 50);
  EXPECT_EQ(sharp[11], 10);
  EXPECT_EQ(sharp[6], 10);
  EXPECT_EQ(sharp[10], 0);
  EXPECT_EQ(done(point, [](Tensor t) { augment::sharpness(t, 1); }), point.pixels);
  // sigma 1, taps 0.3991 0.2420 0.0540 0.0044: 130 * 0.3991^2 = 20.7, 130 * 0.3991 * 0.2420 = 12.6.
  const Pixels soft = done(point, [](Tensor t) { augment::blur(t, 1); });
  EXPECT_EQ(soft[12], 21);
  EXPECT_EQ(soft[11], 13);
  EXPECT_EQ(soft[7], 13);
  EXPECT_EQ(done(Clip({2, 4, 3, 3}, 40), [](Tensor t) { augment::blur(t, 1.7); }), Pixels(72, 40));
}

TEST(Augment, NoiseHasItsStatistics) {
  const Clip grey({4, 64, 64, 3}, 120);
  const Pixels gaussian = apply({.gaussian = 0.1}, grey);
  EXPECT_NEAR(mean(gaussian), 120, 0.6);  // five standard errors of 25.5 / sqrt(49152)
  EXPECT_NEAR(deviation(gaussian), 25.5, 0.5);
  const Pixels poisson = apply({.poisson = 50}, grey);  // a variance of 120 * 255 / 50
  EXPECT_NEAR(mean(poisson), 120, 0.6);
  EXPECT_NEAR(deviation(poisson), std::sqrt(612.0), 0.5);
  EXPECT_EQ(apply({.poisson = 50}, Clip({1, 8, 8, 1})), Pixels(64, 0));
  const Pixels walked = apply({.walk = 0.02}, grey);
  const auto frame = static_cast<Index>(walked.size() / 4);
  for (int t = 0; t < 4; ++t) {
    const Pixels one(walked.begin() + t * frame, walked.begin() + (t + 1) * frame);
    EXPECT_NEAR(deviation(one), 5.1 * std::sqrt(t + 1), 0.35);
  }
  const Pixels salted = apply({.salt = 0.1}, grey);
  const auto black = std::count(salted.begin(), salted.end(), 0);
  const auto white = std::count(salted.begin(), salted.end(), 255);
  EXPECT_NEAR(static_cast<double>(black), 2457.6, 5 * 3 * 28);  // by pixels of three
  EXPECT_NEAR(static_cast<double>(white), 2457.6, 5 * 3 * 28);
  EXPECT_EQ(black % 3, 0);
  EXPECT_EQ(std::count(salted.begin(), salted.end(), 120) + black + white, 49152);
}

TEST(Augment, RectanglesThroughAllFrames) {
  const Clip black({3, 20, 30, 1});
  const Pixels masked = apply({.masks = 1, .mask_side = 0.5}, black, {1, 2});
  EXPECT_EQ(std::count(masked.begin(), masked.end(), 128), 3 * 10 * 15);
  EXPECT_EQ(std::count(masked.begin(), masked.end(), 0), 3 * (600 - 150));
  EXPECT_TRUE(std::equal(masked.begin(), masked.begin() + 600, masked.begin() + 600));
  double area = 0;
  int erased = 0;
  for (std::uint64_t stream = 0; stream < 300; ++stream) {
    const Pixels out = apply({.erase = 0.5}, black, {1, stream});
    const auto changed = static_cast<double>(
        std::count_if(out.begin(), out.end(), [](std::uint8_t value) { return value != 0; }));
    erased += changed > 0;
    area = std::max(area, changed / 1800);
  }
  EXPECT_NEAR(erased, 150, 5 * 9);
  EXPECT_LT(area, 0.36);
  EXPECT_GT(area, 0.25);
}

TEST(Augment, RandAugmentDoesAboutHalfOfItsOperations) {
  const Clip source = noisy({2, 16, 16, 3});
  int same = 0;
  std::set<std::string> seen;
  for (std::uint64_t stream = 0; stream < 400; ++stream) {
    const Pixels out = apply({.rand_ops = 1}, source, {3, stream});
    same += out == source.pixels;
    seen.insert(text_of(out));
  }
  // Half are not done; autocontrast and equalize leave noise over the whole range almost as it is.
  EXPECT_NEAR(same, 213, 5 * 10);
  EXPECT_GT(seen.size(), 100U);
  const auto with = [&](double magnitude) {
    std::set<std::string> found;
    for (std::uint64_t stream = 0; stream < 100; ++stream)
      found.insert(text_of(apply({.rand_ops = 1, .rand_magnitude = magnitude, .rand_deviation = 0},
                                 source, {3, stream})));
    return found.size();
  };
  // Without strength only what has none changes a clip: autocontrast, equalize, invert, four bits.
  EXPECT_LE(with(0), 5U);
  EXPECT_GT(with(9), 15U);
}

TEST(Augment, RefusesWhatDoesNotFit) {
  EXPECT_ERROR(ErrorCode::argument, "augment.flip is 2", Augmenter({.flip = 2}));
  EXPECT_ERROR(ErrorCode::argument, "augment.hue", Augmenter({.hue = std::nan("")}));
  EXPECT_ERROR(ErrorCode::argument, "augment.scale_low is 0.9",
               Augmenter({.scale_low = 0.9, .scale_high = 0.5}));
  EXPECT_ERROR(ErrorCode::argument, "no crop \"x\"", crop_kind("x"));
  Clip colour({1, 2, 2, 3});
  EXPECT_ERROR(ErrorCode::shape, "expected u8",
               Augmenter({}).apply(Clip({1, 2, 2, 1}).view(), {}, colour.tensor()));
}

class Noisy final : public Dataset {
 public:
  Index size() const override { return 12; }
  Shape shape() const override { return {2, 12, 14, 3}; }
  std::string name(Index index) const override { return text(index); }
  std::string description() const override { return "noise"; }
  Index label(Index index) const override { return index; }

 private:
  void do_read(Index index, Random, Tensor clip) const override {
    const Clip made = noisy(shape(), static_cast<std::uint64_t>(index));
    std::copy(made.pixels.begin(), made.pixels.end(), clip.as<std::uint8_t>());
  }
};

TEST(Augment, WorkersDoNotMatter) {
  Augmentation all{.crop = Augmentation::Crop::resized, .flip = 0.5, .rotate = 10, .shear = 5};
  all.brightness = all.contrast = all.saturation = all.hue = 0.2;
  all.rand_ops = 2;
  all.blur = all.erase = all.gaussian = 0.5;
  const auto data = augmented(std::make_shared<Noisy>(), all, 8, 9);
  EXPECT_EQ(data->shape(), (Shape{2, 8, 9, 3}));
  EXPECT_EQ(data->label(3), 3);
  std::vector<Pixels> runs;
  for (const int workers : {0, 1, 3}) {
    Loader loader(data, {.batch = 4, .workers = workers, .prefetch = 3, .seed = 5});
    Pixels run;
    for (int step = 0; step < 6; ++step) {
      Pixels batch(loader.type().bytes());
      loader.next({batch.data(), DType::u8, loader.type().shape});
      run.insert(run.end(), batch.begin(), batch.end());
    }
    runs.push_back(run);
  }
  EXPECT_EQ(runs[0], runs[1]);
  EXPECT_EQ(runs[0], runs[2]);
  const auto half = static_cast<Index>(runs[0].size() / 2);  // the second epoch is another
  EXPECT_FALSE(std::equal(runs[0].begin(), runs[0].begin() + half, runs[0].begin() + half));
}

TEST(Mix, ByHand) {
  const Shape shape{3, 1, 1, 2, 1};
  Clip clips(shape, Pixels{100, 0, 50, 50, 0, 200});
  std::vector<float> labels = {1, 0, 0.5F, 0.5F, 0, 1};
  mix({0.75, {}}, clips.tensor(), labels.data(), 2);
  EXPECT_EQ(clips.pixels, (Pixels{75, 50, 50, 50, 25, 150}));
  EXPECT_EQ(labels, (std::vector<float>{0.75F, 0.25F, 0.5F, 0.5F, 0.25F, 0.75F}));
  Clip cut(shape, Pixels{100, 0, 50, 50, 0, 200});
  mix({0.5, {0, 1, 1, 1}}, cut.tensor(), nullptr, 0);
  EXPECT_EQ(cut.pixels, (Pixels{100, 200, 50, 50, 0, 0}));
  mix({}, cut.tensor(), nullptr, 0);
  EXPECT_EQ(cut.pixels, (Pixels{100, 200, 50, 50, 0, 0}));
}

TEST(Mix, DrawsBeta) {
  for (const double alpha : {0.1, 0.8, 1.0, 4.0}) {
    double sum = 0, squares = 0;
    constexpr int count = 4000;
    for (std::uint64_t step = 0; step < count; ++step) {
      const double lambda = drawn_mix({.mixup = alpha}, 8, 8, {1, step}).lambda;
      ASSERT_TRUE(lambda >= 0 && lambda <= 1);
      sum += lambda;
      squares += (lambda - 0.5) * (lambda - 0.5);
    }
    const double variance = 1 / (4 * (2 * alpha + 1));  // of Beta(alpha, alpha)
    EXPECT_NEAR(sum / count, 0.5, 5 * std::sqrt(variance / count)) << alpha;
    EXPECT_NEAR(squares / count, variance, 0.1 * variance) << alpha;
  }
}

TEST(Mix, CutMixCountsWhatIsLeft) {
  int cuts = 0;
  for (std::uint64_t step = 0; step < 1000; ++step) {
    const Mixed mixed = drawn_mix({.mixup = 0.8, .cutmix = 1}, 30, 40, {1, step});
    cuts += mixed.box.height * mixed.box.width > 0;
    const auto area = static_cast<double>(mixed.box.height * mixed.box.width);
    EXPECT_TRUE(area == 0 || std::abs(mixed.lambda - (1 - area / 1200)) < 1e-12);
    EXPECT_EQ(drawn_mix({.mixup = 1, .probability = 0}, 30, 40, {1, step}).lambda, 1);
  }
  EXPECT_NEAR(cuts, 500, 5 * 16 + 15);  // a few are too small for a pixel
  EXPECT_EQ(drawn_mix({}, 30, 40, {}).lambda, 1);
  EXPECT_ERROR(ErrorCode::argument, "mixup -1", drawn_mix({.mixup = -1}, 8, 8, {}));
}

}  // namespace
}  // namespace framefold

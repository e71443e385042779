#include "io/moving_digits.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <string>
#include <tuple>

#include "io/digits.h"
#include "kernels/error.h"

namespace framefold {
namespace {

std::vector<std::uint8_t> read(const Dataset& dataset, Index index, Random random = {}) {
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(dataset.shape().size()));
  dataset.read(index, random, {pixels.data(), DType::u8, dataset.shape()});
  return pixels;
}

// Pictures [1, 2, 3, 1]: all pixels of picture i are 10 (i + 1).
class Blocks final : public Dataset {
 public:
  explicit Blocks(Index size, int first = 0) : size_(size), first_(first) {}
  Index size() const override { return size_; }
  Shape shape() const override { return {1, 2, 3, 1}; }
  std::string name(Index) const override { return "block"; }
  std::string description() const override { return "blocks"; }

 private:
  void do_read(Index index, Random, Tensor clip) const override {
    std::fill_n(clip.as<std::uint8_t>(), 6, static_cast<std::uint8_t>(10 * (index + first_ + 1)));
  }
  Index size_;
  int first_;
};

TEST(MovingDigits, BounceByHand) {
  EXPECT_EQ(bounce(3, 2, 0, 10), 3);
  EXPECT_EQ(bounce(3, 2, 3, 10), 9);
  EXPECT_EQ(bounce(3, 2, 4, 10), 9);    // 11 folds to 9
  EXPECT_EQ(bounce(3, 2, 9, 10), 1);    // 21: there and back
  EXPECT_EQ(bounce(3, -2, 2, 10), 1);   // -1 folds to 1
  EXPECT_EQ(bounce(3, -2, 12, 10), 1);  // -21
  EXPECT_EQ(bounce(0, 5, 7, 0), 0);
  EXPECT_EQ(bounce(2, 0, 100, 4), 2);
}

struct Place {
  Index left = 0, top = 0;
};

// Where the one block of the frame stands; fails unless it is whole.
Place find_block(const std::uint8_t* frame, Index height, Index width) {
  const std::uint8_t* end = frame + height * width;
  const Index at = std::find_if(frame, end, [](std::uint8_t p) { return p != 0; }) - frame;
  EXPECT_EQ(std::count_if(frame, end, [](std::uint8_t p) { return p != 0; }), 6);
  for (const Index pixel : {at + 2, at + width, at + width + 2}) EXPECT_EQ(frame[pixel], frame[at]);
  return {at % width, at / width};
}

TEST(MovingDigits, StayInsideAndMoveAtConstantSpeed) {
  const MovingDigits options{
      .frames = 60, .height = 32, .width = 48, .digits = 1, .speed = 2.5, .clips = 40};
  const Split parts = moving_digits({std::make_shared<Blocks>(7), nullptr, {}}, options);
  for (Index clip = 0; clip < parts.train->size(); ++clip) {
    const auto pixels = read(*parts.train, clip);
    std::vector<Place> places;
    for (Index t = 0; t < 60; ++t) places.push_back(find_block(&pixels[t * 32 * 48], 32, 48));
    for (std::size_t t = 8; t < 60; ++t) {
      // Whole pixels hide up to one; over eight frames without a bounce 20 pixels are travelled.
      const auto dx = static_cast<double>(places[t].left - places[t - 8].left);
      const auto dy = static_cast<double>(places[t].top - places[t - 8].top);
      EXPECT_LE(std::hypot(dx, dy), 20 + 1.5);
      bool straight = true;
      for (std::size_t i = t - 7; i < t; ++i) {
        const Place a = places[i - 1], b = places[i], c = places[i + 1];
        const bool edge = b.left <= 3 || b.left >= 48 - 3 - 3 || b.top <= 3 || b.top >= 32 - 2 - 3;
        straight = straight && !edge;
        if (!edge) {
          EXPECT_LE(std::abs(c.left - 2 * b.left + a.left), 1);
          EXPECT_LE(std::abs(c.top - 2 * b.top + a.top), 1);
        }
      }
      if (straight) {
        EXPECT_GE(std::hypot(dx, dy), 20 - 1.5);
      }
    }
  }
}

TEST(MovingDigits, TheBrighterPixelShows) {
  const MovingDigits options{
      .frames = 3, .height = 2, .width = 3, .digits = 5, .clips = 20, .held_out = 0};
  const Split parts = moving_digits({std::make_shared<Blocks>(20), nullptr, {}}, options);
  int brightest = 0;
  for (Index clip = 0; clip < 20; ++clip) {  // without room all five lie upon each other
    const auto pixels = read(*parts.train, clip);
    EXPECT_EQ(std::count(pixels.begin(), pixels.end(), pixels[0]), 18);
    brightest += pixels[0];
  }
  // The largest of five draws out of 10, 20, ... 200 is 172 on average; that of one is 105.
  EXPECT_NEAR(brightest / 20.0, 172, 25);
}

TEST(MovingDigits, ReproducibleAndDifferent) {
  const Split digits = drawn_digits({.count = 100});
  MovingDigits options{.frames = 4, .clips = 50};
  const Split one = moving_digits(digits, options), two = moving_digits(digits, options);
  EXPECT_EQ(one.train->shape(), (Shape{4, 64, 64, 1}));
  EXPECT_EQ(one.train->size(), 45);
  EXPECT_EQ(one.held_out->size(), 5);
  EXPECT_EQ(read(*one.train, 3), read(*two.train, 3, {9, 9}));
  EXPECT_NE(read(*one.train, 3), read(*one.train, 4));
  EXPECT_NE(read(*one.train, 0), read(*one.held_out, 0));
  options.seed = 1;
  EXPECT_NE(read(*one.train, 3), read(*moving_digits(digits, options).train, 3));
}

TEST(MovingDigits, HeldOutClipsShowHeldOutPictures) {
  const Split blocks{std::make_shared<Blocks>(3), std::make_shared<Blocks>(1, 20), {}};
  const Split parts = moving_digits(blocks, {.frames = 1, .height = 9, .width = 9, .clips = 60});
  for (const auto& [part, least, most] :
       {std::tuple{parts.train, 10, 30}, std::tuple{parts.held_out, 210, 210}})
    for (Index i = 0; i < part->size(); ++i) {
      const auto pixels = read(*part, i);
      const int brightest = *std::max_element(pixels.begin(), pixels.end());
      EXPECT_GE(brightest, least);
      EXPECT_LE(brightest, most);
    }
}

TEST(MovingDigits, RefusesWhatDoesNotFit) {
  const Split digits = drawn_digits({.count = 10});
  EXPECT_THROW(moving_digits({}, {}), Error);
  EXPECT_THROW(moving_digits(digits, {.height = 27}), Error);
  EXPECT_THROW(moving_digits(digits, {.width = 20}), Error);
  EXPECT_THROW(moving_digits(digits, {.frames = 0}), Error);
  EXPECT_THROW(moving_digits(digits, {.clips = 0}), Error);
  EXPECT_THROW(drawn_digits({.count = 0}), Error);
}

// Ink, like MNIST's digits, neither on the edge nor without contrast; and variety.
void expect_digits(const std::vector<std::vector<std::uint8_t>>& pictures) {
  std::set<std::string> different;
  for (const auto& picture : pictures) {
    different.emplace(picture.begin(), picture.end());
    const double mean = std::accumulate(picture.begin(), picture.end(), 0.0) / 784;
    EXPECT_GT(mean, 4);
    EXPECT_LT(mean, 110);
    EXPECT_GT(*std::max_element(picture.begin(), picture.end()), 150);
    int corner = 0;
    for (const int pixel : {0, 27, 756, 783}) corner += picture[static_cast<std::size_t>(pixel)];
    EXPECT_EQ(corner, 0);
  }
  EXPECT_EQ(different.size(), pictures.size());
}

TEST(Digits, Drawn) {
  const Split digits = drawn_digits({.count = 500, .held_out = 0, .seed = 3});
  EXPECT_EQ(digits.train->shape(), (Shape{1, 28, 28, 1}));
  std::vector<std::vector<std::uint8_t>> pictures;
  for (Index i = 0; i < 500; ++i) pictures.push_back(read(*digits.train, i));
  expect_digits(pictures);
  EXPECT_EQ(read(*drawn_digits({.count = 9, .held_out = 0, .seed = 3}).train, 8), pictures[8]);
}

TEST(Digits, Strokes) {
  std::vector<std::vector<std::uint8_t>> pictures(500, std::vector<std::uint8_t>(784));
  for (std::uint64_t i = 0; i < 500; ++i) draw_digit_in_strokes({3, i}, pictures[i].data());
  expect_digits(pictures);
}

// Each frame is the first one, rolled by the speed towards the clip's class.
TEST(MovingDigits, DirectionsAreClasses) {
  const Split parts = moving_digits({std::make_shared<Blocks>(3), nullptr, {}}, {.frames = 9,
                                                                                 .height = 8,
                                                                                 .width = 9,
                                                                                 .digits = 1,
                                                                                 .speed = 2,
                                                                                 .directions = true,
                                                                                 .clips = 40,
                                                                                 .held_out = 0.25,
                                                                                 .seed = 6});
  EXPECT_EQ(parts.train->classes(), (std::vector<std::string>{"up", "down", "left", "right"}));
  const Index down[] = {-1, 1, 0, 0}, right[] = {0, 0, -1, 1};
  std::set<Index> seen;
  for (const auto& part : {parts.train, parts.held_out})
    for (Index clip = 0; clip < part->size(); ++clip) {
      const auto label = static_cast<std::size_t>(part->label(clip));
      ASSERT_LT(label, 4U);
      seen.insert(part->label(clip));
      const std::vector<std::uint8_t> pixels = read(*part, clip);
      EXPECT_EQ(std::count_if(pixels.begin(), pixels.begin() + 72, [](int p) { return p != 0; }),
                6);
      for (Index t = 0; t < 9; ++t)
        for (Index y = 0; y < 8; ++y)
          for (Index x = 0; x < 9; ++x) {
            const Index from_y = (y - 2 * t * down[label] + 8 * 9) % 8;
            const Index from_x = (x - 2 * t * right[label] + 9 * 9) % 9;
            ASSERT_EQ(pixels[static_cast<std::size_t>((t * 8 + y) * 9 + x)],
                      pixels[static_cast<std::size_t>(from_y * 9 + from_x)]);
          }
    }
  EXPECT_EQ(seen.size(), 4U);
  const Split plain =
      moving_digits({std::make_shared<Blocks>(3), nullptr, {}}, {.height = 8, .width = 9});
  EXPECT_EQ(plain.train->label(0), -1);
  EXPECT_TRUE(plain.train->classes().empty());
}

}  // namespace
}  // namespace framefold

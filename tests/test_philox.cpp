#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "kernels/philox.h"

#if __has_include(<Random123/philox.h>)
#include <Random123/philox.h>
#undef philox4x32
#endif

namespace framefold {
namespace {

TEST(Philox, KnownAnswers) {
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, 0, 0),
            (PhiloxBlock{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  constexpr std::uint32_t ones = 0xffffffff;
  EXPECT_EQ(philox4x32({ones, ones, ones, ones}, ones, ones),
            (PhiloxBlock{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, 0xa4093822, 0x299f31d0),
            (PhiloxBlock{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, EqualsRandom123) {
#if __has_include(<Random123/philox.h>)
  Random draw{.seed = 1, .stream = 2};
  for (std::uint64_t i = 0; i < 1000; ++i) {
    const PhiloxBlock counter = draw.block(2 * i);
    const PhiloxBlock key = draw.block(2 * i + 1);
    const auto theirs =
        r123::Philox4x32()({{counter[0], counter[1], counter[2], counter[3]}}, {{key[0], key[1]}});
    const PhiloxBlock ours = philox4x32(counter, key[0], key[1]);
    for (std::size_t word = 0; word < 4; ++word) ASSERT_EQ(ours[word], theirs[word]) << i;
  }
#else
  GTEST_SKIP() << "Random123's headers (librandom123-dev) are absent";
#endif
}

TEST(Philox, TheWholeSeedStreamAndIndexCount) {
  const Random base{.seed = 7, .stream = 9};
  constexpr std::uint64_t high = std::uint64_t{1} << 40;
  EXPECT_NE(base.block(3), base.block(3 + high));
  EXPECT_NE(base.block(3), (Random{7 + high, 9}.block(3)));
  EXPECT_NE(base.block(3), (Random{7, 9 + high}.block(3)));
  EXPECT_EQ(base.word(14), base.block(3)[2]);
}

TEST(Philox, UniformAndNormalMoments) {
  const Random random{.seed = 11, .stream = 0};
  constexpr int count = 100000;
  double sum = 0;
  double sum_normal = 0;
  double squares = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    const float u = random.uniform(i);
    ASSERT_GE(u, 0.0F);
    ASSERT_LT(u, 1.0F);
    sum += static_cast<double>(u);
    const auto z = static_cast<double>(random.normal(i));
    ASSERT_TRUE(std::isfinite(z));
    sum_normal += z;
    squares += z * z;
  }
  // Five standard errors.
  EXPECT_NEAR(sum / count, 0.5, 5 * std::sqrt(1.0 / 12 / count));
  EXPECT_NEAR(sum_normal / count, 0, 5 / std::sqrt(count));
  EXPECT_NEAR(squares / count, 1, 5 * std::sqrt(2.0 / count));
}

TEST(Philox, BelowStaysBelow) {
  const Random random{.seed = 5, .stream = 1};
  std::vector<int> seen(7);
  for (std::uint64_t i = 0; i < 7000; ++i) {
    const std::uint32_t draw = random.below(i, 7);
    ASSERT_LT(draw, 7U);
    ++seen[draw];
  }
  for (const int times : seen) EXPECT_NEAR(times, 1000, 5 * std::sqrt(1000.0));
}

}  // namespace
}  // namespace framefold

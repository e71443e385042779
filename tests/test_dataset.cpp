#include "io/dataset.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <set>

#include "kernels/error.h"

namespace framefold {
namespace {

class Letters final : public Dataset {
 public:
  explicit Letters(Index size) : size_(size) {}
  Index size() const override { return size_; }
  Shape shape() const override { return {1, 1, 1, 1}; }
  std::string name(Index index) const override { return text(index); }
  std::string description() const override { return "letters"; }

 private:
  void do_read(Index index, Random random, Tensor clip) const override {
    *clip.as<std::uint8_t>() =
        static_cast<std::uint8_t>(static_cast<std::uint64_t>(index) + random.stream);
  }
  Index size_;
};

std::vector<Index> names_of(const Dataset& part) {
  std::vector<Index> names;
  for (Index i = 0; i < part.size(); ++i) names.push_back(std::stol(part.name(i)));
  return names;
}

TEST(Dataset, SplitsInTwoPartsThatShareNothing) {
  for (const Index size : {2, 3, 10, 997}) {
    const Split parts = split(std::make_shared<Letters>(size), 0.1);
    ASSERT_TRUE(parts.train && parts.held_out);
    EXPECT_EQ(parts.held_out->size(), size == 997 ? 100 : 1);
    EXPECT_EQ(parts.train->size() + parts.held_out->size(), size);
    const auto train = names_of(*parts.train), held_out = names_of(*parts.held_out);
    EXPECT_TRUE(std::is_sorted(train.begin(), train.end()));
    std::set<Index> all(train.begin(), train.end());
    all.insert(held_out.begin(), held_out.end());
    EXPECT_EQ(static_cast<Index>(all.size()), size);
    EXPECT_EQ(held_out, names_of(*split(std::make_shared<Letters>(size), 0.1).held_out));
  }
}

TEST(Dataset, HoldsOutAllOrNothing) {
  const auto letters = std::make_shared<Letters>(5);
  EXPECT_EQ(split(letters, 0).train, letters);
  EXPECT_EQ(split(letters, 0).held_out, nullptr);
  EXPECT_EQ(split(letters, 1).held_out, letters);
  EXPECT_EQ(split(letters, 1).train, nullptr);
  EXPECT_THROW(split(letters, 1.5), Error);
  EXPECT_THROW(split(letters, -0.1), Error);
}

TEST(Dataset, ReadsThroughASplit) {
  const Split parts = split(std::make_shared<Letters>(20), 0.3);
  std::array<std::uint8_t, 1> pixel{};
  const Tensor clip{pixel.data(), DType::u8, {1, 1, 1, 1}};
  parts.held_out->read(2, {0, 100}, clip);
  EXPECT_EQ(pixel[0], 100 + std::stol(parts.held_out->name(2)));
}

TEST(Dataset, RefusesWhatDoesNotFit) {
  const Letters letters(3);
  std::array<std::uint8_t, 4> pixels{};
  EXPECT_THROW(letters.read(3, {}, {pixels.data(), DType::u8, {1, 1, 1, 1}}), Error);
  EXPECT_THROW(letters.read(-1, {}, {pixels.data(), DType::u8, {1, 1, 1, 1}}), Error);
  EXPECT_THROW(letters.read(0, {}, {pixels.data(), DType::u8, {1, 1, 1, 2}}), Error);
  EXPECT_THROW(letters.read(0, {}, {pixels.data(), DType::f32, {1, 1, 1, 1}}), Error);
}

}  // namespace
}  // namespace framefold

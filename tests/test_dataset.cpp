#include "io/dataset.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <set>

#include "io/file.h"
#include "io/idx_pictures.h"
#include "kernels/error.h"
#include "tests/data.h"
#include "tests/temporary.h"

namespace framefold {
namespace {

class Letters final : public Dataset {
 public:
  explicit Letters(Index size) : size_(size) {}
  Index size() const override { return size_; }
  Shape shape() const override { return {1, 1, 1, 1}; }
  std::string name(Index index) const override { return text(index); }
  std::string description() const override { return "letters"; }
  Index label(Index index) const override { return index % 3; }

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
    for (Index i = 0; i < parts.train->size(); ++i)
      EXPECT_EQ(parts.train->label(i), train[static_cast<std::size_t>(i)] % 3);
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

const std::string three_pictures("\0\0\x08\x03\0\0\0\x03\0\0\0\x01\0\0\0\x02\1\2\3\4\5\6", 16 + 6);

TEST(IdxPictures, ReadsAFileOrItsDirectory) {
  const TemporaryDirectory directory;
  directory.write("some-idx3-ubyte", three_pictures);
  directory.write("some-idx1-ubyte", "labels");
  for (const auto& path : {directory / "some-idx3-ubyte", directory.path()}) {
    const auto pictures = idx_pictures(path, 0).train;
    EXPECT_EQ(pictures->size(), 3);
    EXPECT_EQ(pictures->shape(), (Shape{1, 1, 2, 1}));
    std::array<std::uint8_t, 2> pixels{};
    pictures->read(1, {}, {pixels.data(), DType::u8, {1, 1, 2, 1}});
    EXPECT_EQ(pixels, (std::array<std::uint8_t, 2>{3, 4}));
    EXPECT_NE(pictures->name(1).find("some-idx3-ubyte picture 1"), std::string::npos);
  }
}

TEST(IdxPictures, SaysWhichFileIsMeant) {
  const TemporaryDirectory directory;
  EXPECT_ERROR(ErrorCode::file, "no file with idx3", idx_pictures(directory.path(), 0));
  directory.write("a-idx3", three_pictures);
  directory.write("b-idx3", three_pictures);
  EXPECT_ERROR(ErrorCode::file, "more than one file", idx_pictures(directory.path(), 0));
  directory.write("labels", std::string("\0\0\x08\x01\0\0\0\2\1\2", 10));
  EXPECT_ERROR(ErrorCode::format, "not of labels", idx_pictures(directory / "labels", 0));
  EXPECT_ERROR(ErrorCode::file, "No such file", idx_pictures(directory / "c", 0));
}

TEST(IdxPictures, Mnist) {
  const auto path = test_data("mnist");
  if (path.empty()) GTEST_SKIP() << "mnist is absent";
  const Split digits = idx_pictures(path, 0.1);
  EXPECT_EQ(digits.train->size(), 9000);
  EXPECT_EQ(digits.held_out->size(), 1000);
}

}  // namespace
}  // namespace framefold

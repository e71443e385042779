#include "io/idx.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <numeric>

#include "io/file.h"
#include "tests/data.h"
#include "tests/temporary.h"

namespace framefold {
namespace {

namespace fs = std::filesystem;

// Two pictures of 2 x 3.
const std::string small(
    "\0\0\x08\x03\0\0\0\x02\0\0\0\x02\0\0\0\x03\0\x01\x02\x03\x04\x05\x06\x07\x08\x09\xfe\xff",
    16 + 12);

std::string gzip(const std::string& content) {
  const TemporaryDirectory directory;
  gzFile file = ::gzopen((directory / "x").c_str(), "wb9");
  ::gzwrite(file, content.data(), static_cast<unsigned>(content.size()));
  ::gzclose(file);
  return read_file(directory / "x", Bytes{1} << 30);
}

Idx read_bytes(const std::string& bytes, Bytes cap = 1000) {
  const TemporaryDirectory directory;
  write_file(directory / "x", bytes);
  return read_idx(directory / "x", cap);
}

TEST(Idx, ReadsPlainAndCompressed) {
  for (const std::string& bytes : {small, gzip(small)}) {
    const Idx idx = read_bytes(bytes);
    EXPECT_EQ(idx.shape, (Shape{2, 2, 3}));
    EXPECT_EQ(idx.data, (std::vector<std::uint8_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 254, 255}));
  }
}

TEST(Idx, ExtentsAreBigEndianAndMayBeZero) {
  const Idx idx =
      read_bytes(std::string("\0\0\x08\x02\0\0\x01\x02\0\0\0\x01", 12) + std::string(258, 'x'));
  EXPECT_EQ(idx.shape, (Shape{258, 1}));
  EXPECT_EQ(read_bytes(std::string("\0\0\x08\x01\0\0\0\0", 8)).shape, Shape{0});
}

TEST(Idx, Header) {
  EXPECT_ERROR(ErrorCode::format, "ends within its IDX header", read_bytes(""));
  EXPECT_ERROR(ErrorCode::format, "ends within its IDX header", read_bytes(small.substr(0, 15)));
  EXPECT_ERROR(ErrorCode::format, "is no IDX file: it begins with bytes 137 80",
               read_bytes("\x89PNG...."));
  EXPECT_ERROR(ErrorCode::format, "elements of type f32 (13), only u8 (8)",
               read_bytes(std::string("\0\0\x0d\x01\0\0\0\0", 8)));
  EXPECT_ERROR(ErrorCode::format, "elements of type unknown (7)",
               read_bytes(std::string("\0\0\x07\x01\0\0\0\0", 8)));
  EXPECT_ERROR(ErrorCode::format, "has rank 0, expected 1 to 8",
               read_bytes(std::string("\0\0\x08\0", 4)));
  EXPECT_ERROR(ErrorCode::format, "has rank 9", read_bytes(std::string("\0\0\x08\x09", 4)));
}

TEST(Idx, Size) {
  EXPECT_ERROR(ErrorCode::format, "holds 11 elements, its shape [2, 2, 3] has 12; it was cut short",
               read_bytes(small.substr(0, small.size() - 1)));
  EXPECT_ERROR(ErrorCode::format, "goes on after the 12 elements", read_bytes(small + "x"));
  EXPECT_ERROR(ErrorCode::format, "[2, 2, 3]..., more than the cap of 11 elements",
               read_bytes(small, 11));
  // 2^32 - 1 cubed passes 64 bits.
  EXPECT_ERROR(ErrorCode::format, "more than the cap",
               read_bytes(std::string("\0\0\x08\x03", 4) + std::string(12, '\xff'), ~Bytes{0}));
}

TEST(Idx, Compression) {
  const std::string good = gzip(small + std::string(5000, 'x'));
  EXPECT_ERROR(ErrorCode::format, "goes on after the 12 elements", read_bytes(good));
  const std::string packed = gzip(small);
  for (const std::size_t kept : {packed.size() - 1, packed.size() - 8, packed.size() / 2})
    EXPECT_ERROR(ErrorCode::format, "gzip compression is damaged or cut short",
                 read_bytes(packed.substr(0, kept)));
  std::string wrong = packed;
  wrong[wrong.size() - 8] = static_cast<char>(wrong[wrong.size() - 8] ^ 1);  // its checksum
  EXPECT_ERROR(ErrorCode::format, "gzip compression is damaged or cut short", read_bytes(wrong));
}

// 64 MiB of zeros in 64 KiB: the cap holds before anything is unpacked.
TEST(Idx, CompressionBomb) {
  const std::string bomb =
      gzip(std::string("\0\0\x08\x01\x04\0\0\0", 8) + std::string(std::size_t{1} << 26, '\0'));
  ASSERT_LT(bomb.size(), 100'000U);
  EXPECT_ERROR(ErrorCode::format, "[67108864]..., more than the cap of 1048576 elements",
               read_bytes(bomb, Bytes{1} << 20));
}

TEST(Idx, MissingFile) {
  EXPECT_ERROR(ErrorCode::file, "No such file", read_idx("/nonexistent/labels"));
  EXPECT_ERROR(ErrorCode::file, "not a regular file", read_idx("/dev/zero"));
}

TEST(Idx, Mnist) {
  const fs::path images = test_data("mnist/t10k-images-idx3-ubyte.gz");
  const fs::path labels = test_data("mnist/t10k-labels-idx1-ubyte.gz");
  if (images.empty() || labels.empty()) GTEST_SKIP() << "mnist/t10k-* is absent";
  const Idx digits = read_idx(images);
  EXPECT_EQ(digits.shape, (Shape{10000, 28, 28}));
  const Idx classes = read_idx(labels);
  EXPECT_EQ(classes.shape, Shape{10000});
  EXPECT_EQ(std::vector<std::uint8_t>(classes.data.begin(), classes.data.begin() + 5),
            (std::vector<std::uint8_t>{7, 2, 1, 0, 4}));
  // The mean of MNIST's test pictures is 0.1325 of white.
  const double sum = std::accumulate(digits.data.begin(), digits.data.end(), 0.0);
  EXPECT_NEAR(sum / static_cast<double>(digits.data.size()) / 255, 0.1325, 0.0001);
}

}  // namespace
}  // namespace framefold

// Frames as an NVIDIA GPU's decoder leaves them, cropped and in planes, without one.
#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "io/codecs/nv12.h"

namespace framefold {
namespace {

// A surface of 12 x 16 whose samples say where they stand; lines are longer than the surface.
TEST(Nv12, GivesTheStreamsOwnPartOfTheSurface) {
  constexpr int height = 12, width = 16, line = 20;
  std::vector<std::uint8_t> y(height * line, 255), uv(height / 2 * line, 255);
  for (int row = 0; row < height; ++row)
    for (int x = 0; x < width; ++x)
      y[static_cast<std::size_t>(row * line + x)] = static_cast<std::uint8_t>(16 * row + x);
  for (int row = 0; row < height / 2; ++row)
    for (int x = 0; x < width / 2; ++x) {
      uv[row * line + 2 * x] = static_cast<std::uint8_t>(16 * row + x);
      uv[row * line + 2 * x + 1] = static_cast<std::uint8_t>(128 + 16 * row + x);
    }
  for (const OwnPart part : {OwnPart{0, 0, 12, 16}, {0, 0, 10, 14}, {4, 2, 8, 12}, {2, 6, 9, 7}}) {
    std::vector<std::uint8_t> own(static_cast<std::size_t>(part.height) * 16), u(64), v(64);
    split({y.data(), uv.data(), line, line}, part, {own.data(), u.data(), v.data(), 16, 8, 8});
    for (int row = 0; row < part.height; ++row)
      for (int x = 0; x < part.width; ++x) {
        ASSERT_EQ(own[row * 16 + x], 16 * (part.top + row) + part.left + x);
        const int chroma = 16 * (part.top / 2 + row / 2) + part.left / 2 + x / 2;
        ASSERT_EQ(u[row / 2 * 8 + x / 2], chroma);
        ASSERT_EQ(v[row / 2 * 8 + x / 2], 128 + chroma);
      }
  }
}

}  // namespace
}  // namespace framefold

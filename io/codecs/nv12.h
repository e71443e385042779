// What an NVIDIA GPU's decoder leaves, as the CPU's decoder gives it: planes of their own, of the
// size that the stream says. The surface is larger where the stream is cropped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace framefold {

struct Nv12 {
  const std::uint8_t* y;
  const std::uint8_t* uv;  // in turn; half the rows
  std::ptrdiff_t y_line, uv_line;
};

struct OwnPart {
  int top, left, height, width;  // of the surface
};

struct PlanarFrame {
  std::uint8_t *y, *u, *v;
  std::ptrdiff_t y_line, u_line, v_line;
};

inline void split(const Nv12& from, const OwnPart& part, const PlanarFrame& to) {
  for (std::ptrdiff_t row = 0; row < part.height; ++row)
    std::memcpy(to.y + row * to.y_line, from.y + (part.top + row) * from.y_line + part.left,
                static_cast<std::size_t>(part.width));
  const int height = (part.height + 1) / 2, width = (part.width + 1) / 2;
  for (std::ptrdiff_t row = 0; row < height; ++row) {
    const std::uint8_t* both =
        from.uv + (part.top / 2 + row) * from.uv_line + std::ptrdiff_t{part.left} / 2 * 2;
    std::uint8_t* u = to.u + row * to.u_line;
    std::uint8_t* v = to.v + row * to.v_line;
    for (int x = 0; x < width; ++x) {
      u[x] = both[2 * x];
      v[x] = both[2 * x + 1];
    }
  }
}

}  // namespace framefold

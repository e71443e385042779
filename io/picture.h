// Pictures of 8 bits a channel, and the two formats in which they leave: PNG and animated WebP.
//
// Encoders return the file's bytes: write_file (io/file.h) stores them, a report embeds them. They
// are deterministic for given versions of libpng, zlib and libwebp.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/tensor.h"

namespace framefold {

struct Picture {
  Index width = 0, height = 0, channels = 3;  // 1 grey, 3 red green blue; sRGB
  std::vector<std::uint8_t> pixels;           // [height, width, channels]

  Picture() = default;
  Picture(Index width, Index height, Index channels, std::uint8_t value);

  std::uint8_t* at(Index x, Index y) { return pixels.data() + (y * width + x) * channels; }
  const std::uint8_t* at(Index x, Index y) const {
    return pixels.data() + (y * width + x) * channels;
  }
  bool operator==(const Picture&) const = default;
};

std::string encode_png(const Picture& picture);

// Any PNG: grey ones give 1 channel, all others 3; 16 bits become 8, transparency shows black.
// Error(format) where it is damaged or has more than `most` pixels, before they are unpacked.
Picture decode_png(std::string_view png, Index most = Index{1} << 26);

// Pictures of one size, at most 16383 a side, in a loop without end; lossy (quality 85). A picture
// equal to the one before it prolongs that one instead of adding a frame.
std::string encode_webp(const std::vector<Picture>& pictures, double frames_per_second);

}  // namespace framefold

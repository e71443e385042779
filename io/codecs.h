// Video and image files, decoded front to back by FFmpeg's libav. The code lives in
// libframefold_codecs.so, which codecs() opens on its first call (see io/plugin.h).
//
// Files are not trusted: only regular files are read, nothing they refer to is opened, demuxers
// and decoders are those of a list, pixels, frames and packets have a cap. A packet or frame that
// its demuxer or decoder calls damaged is an Error; every Error names the file.
//
// Delivered frames are upright (display rotation applied), cropped about the middle to the wanted
// shape and resized by area averaging, bit for bit the same on every processor.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "kernels/tensor.h"

namespace framefold {

struct FrameFormat {
  Index height = 0, width = 0;
  Index channels = 3;  // 3: RGB, 1: grey

  Bytes bytes() const { return static_cast<Bytes>(height * width * channels); }
};

struct CodecLimits {
  Index pixels = Index{1} << 26;  // a frame
  Index frames = Index{1} << 20;  // a file
};

class FrameReader {
 public:
  virtual ~FrameReader() = default;
  // Decodes the next frame into pixels [H, W, C], or only past it where pixels is null.
  // False where the file has no more.
  virtual bool next(std::uint8_t* pixels) = 0;
};

class Codecs {
 public:
  virtual ~Codecs() = default;
  // How many frames the file shows, from its packets, without decoding them.
  virtual Index count_frames(const std::string& path, const CodecLimits& limits) const = 0;
  virtual std::unique_ptr<FrameReader> open(const std::string& path, const FrameFormat& format,
                                            const CodecLimits& limits) const = 0;
};

const Codecs& codecs();  // Error(unavailable) where there is no such library

}  // namespace framefold

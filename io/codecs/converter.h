// A decoded frame's part, upright, resized and as RGB or grey, in one pass.
#pragma once

#include <array>
#include <string>

#include "io/codecs.h"
#include "io/codecs/libav.h"

namespace framefold {

class Converter {
 public:
  Converter(std::string path, int quarter_turns)
      : path_(std::move(path)), quarter_turns_(quarter_turns) {}

  // `pixel_aspect` is that of the stored frame; `crop` in upright pixels; pixels [H, W, C].
  void convert(const AVFrame& frame, double pixel_aspect, const Crop& crop,
               const FrameFormat& format, std::uint8_t* pixels);

  static void check(const FrameFormat& format, const CodecLimits& limits);

 private:
  // In stored pixels.
  struct Part {
    Index top, left, height, width;
  };
  Part part(const AVFrame& frame, double pixel_aspect, const Crop& crop,
            const FrameFormat& format) const;
  void scale(const AVFrame& frame, const Part& part, const FrameFormat& stored);

  std::string path_;
  int quarter_turns_;
  OwnedFrame view_{av_frame_alloc()};  // the part
  OwnedFrame scaled_;                  // before it is turned
  OwnedScaler scaler_;
  std::array<Index, 8> scaler_for_{};  // what scaler and scaled frame were made for
};

}  // namespace framefold

// A decoded frame's part, upright, resized and as RGB or grey, in one pass.
#pragma once

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "io/codecs.h"
#include "io/codecs/libav.h"
#include "io/codecs/resizer.h"

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
  Part part(const AVFrame& frame, double pixel_aspect, const Crop& crop,
            const FrameFormat& format) const;
  // Fills pixels [H, W, C] of `format`, as stored.
  void resize(const AVFrame& frame, const Part& part, const FrameFormat& format,
              std::uint8_t* pixels);
  void scale(const AVFrame& frame, const Part& part, const FrameFormat& format,
             std::uint8_t* pixels);
  void turn(const FrameFormat& upright, std::uint8_t* pixels) const;

  std::string path_;
  int quarter_turns_;
  std::vector<std::uint8_t> stored_;  // before it is turned
  std::vector<Resizer> resizers_;     // the last few, the newest at the end
  // For formats that no Resizer takes:
  OwnedFrame view_{av_frame_alloc()};  // the part
  OwnedFrame scaled_;
  OwnedScaler scaler_;
  std::array<Index, 8> scaler_for_{};
};

}  // namespace framefold

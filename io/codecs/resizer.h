// From planes of 8-bit YUV or grey to a smaller or larger RGB or grey picture in one pass.
//
// Shrinking, a pixel is the mean of what it covers; enlarging, it lies between the nearest centres
// (each axis by itself). Chroma is taken from where it is sited. Integer arithmetic throughout:
// weights of 12 bits, sums of 32, colours by the coefficients of the frame's own matrix.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "io/codecs.h"
#include "io/codecs/libav.h"
#include "io/codecs/lines.h"

namespace framefold {

// A part of the stored frame.
struct Part {
  Index top, left, height, width;
  bool operator==(const Part&) const = default;
};

class Resizer {
 public:
  static bool takes(const AVFrame& frame);

  Resizer(const AVFrame& frame, const Part& part, const FrameFormat& format);
  bool made_for(const AVFrame& frame, const Part& part, const FrameFormat& format) const;
  void run(const AVFrame& frame, std::uint8_t* pixels);  // [H, W, C]

 private:
  // What each pixel takes of the sources from `begin` on.
  struct Axis {
    Index begin;
    lines::Picks picks;
  };
  static Axis axis(double begin, double step, Index count, Index length);
  // Of what a plane is picked from.
  const std::uint8_t* row(const AVFrame& frame, int plane, Index number) const;
  // Lines `y` of two planes, or of one: lines y and y + 1.
  void two_lines(const AVFrame& frame, std::array<int, 2> planes, std::array<Index, 2> y,
                 std::array<std::uint32_t*, 2> lines);
  void enlarged_chroma(const AVFrame& frame, Index y);  // both, into lines_

  Part part_;
  FrameFormat format_;
  std::array<Index, 6> frame_;          // of what frames it was made for
  std::array<Axis, 2> rows_, columns_;  // of luma and chroma
  lines::Colours colours_;
  std::array<std::vector<std::uint32_t>, 2> sums_;  // of two lines, over rows
  std::vector<std::uint64_t> pairs_;
  using Line = std::vector<std::uint32_t>;
  std::array<Line, 4> lines_;                // luma twice, chroma
  std::array<std::array<Line, 2>, 2> kept_;  // of chroma's planes: an even and an odd row, picked
  std::array<Index, 2> kept_row_{};          // which ones
};

}  // namespace framefold

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
  // For each pixel of a line: `taps` weights, which sum up to 4096, from source `first` on. They
  // lie pixel by pixel; in `by_tap`, where `near` is true, tap by tap, a multiple of 16 pixels
  // each.
  struct Axis {
    Index taps = 0, begin = 0, end = 0;  // of the sources that are read
    bool near = false;                   // pick_near() takes it
    std::vector<std::int32_t> first;
    std::vector<std::uint32_t> weights, by_tap;

    void arrange();  // for picking: finds `near`, fills `by_tap`
  };
  static Axis axis(double begin, double step, Index count, Index length);
  void sum_rows(const AVFrame& frame, int plane, Index y, std::vector<std::uint32_t>& sums) const;
  // Lines `y` of two planes, or of one: lines y and y + 1, in 64ths.
  void two_lines(const AVFrame& frame, std::array<int, 2> planes, std::array<Index, 2> y,
                 std::int32_t* one, std::int32_t* other);

  Part part_;
  FrameFormat format_;
  std::array<Index, 6> frame_;             // of what frames it was made for
  std::array<Axis, 2> rows_, columns_;     // of luma and chroma
  std::array<std::int32_t, 6> colours_{};  // offset and factor of luma, then crv, cbu, cgu, cgv
  std::array<std::vector<std::uint32_t>, 2> sums_;  // of two lines, over rows; 32 more for picks
  std::vector<std::uint64_t> pairs_;                // both, the second in the upper half
  std::array<std::vector<std::int32_t>, 4> lines_;  // in 64ths: luma twice, chroma
};

}  // namespace framefold

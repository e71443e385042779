// Which frames of a video make a clip, and which part of them is seen: index arithmetic alone.
//
//   dense     T frames, each `stride` after the one before; a span of (T - 1) * stride + 1 frames
//   segments  one frame of each of T equal segments (TSN: Wang et al. 2016)
//   windows   dense, a clip every `step` frames from the first on, the last ending with the video
//
// Training: dense draws its start among all that fit, segments a frame of each segment. Testing,
// and always windows: nothing is drawn. Dense takes `clips` spans at equal distances from first to
// last, one alone in the middle; segments shift by 1 / clips of a segment from clip to clip, one
// alone takes each segment's middle.
//
// A video too short holds its last frame: dense from the span's end on, segments where there are
// fewer frames than segments. Indices are within the video and never fall.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "io/random.h"
#include "kernels/tensor.h"

namespace framefold {

struct Sampling {
  enum class Kind : std::uint8_t { dense, segments, windows };
  Kind kind = Kind::dense;
  Index frames = 16, stride = 1;
  Index step = 0;   // of windows; 0: the span, side by side
  Index clips = 1;  // of a video in testing, dense and segments
};

Sampling::Kind sampling_kind(std::string_view name);  // "dense", "segments" or "windows"
Index span_of(const Sampling& sampling);  // frames from a dense clip's first to its last

// How many clips a video of `frames` frames gives in testing and, of windows, in training; of the
// other kinds training takes one.
Index clips_in(const Sampling& sampling, Index frames, bool training);

// Writes the T frames of clip `clip` of a video of `frames` frames. `draws` null: testing.
void pick_frames(const Sampling& sampling, Index frames, Index clip, Draws* draws,
                 std::span<Index> indices);

// A rectangle of pixels.
struct Box {
  Index y = 0, x = 0, height = 0, width = 0;
  bool operator==(const Box&) const = default;
};

// Part `crop` of `crops` of a frame [h, w]: the largest rectangles of the proportions height :
// width, at equal distances from one end of the longer side to the other; one alone in the middle.
Box crop_of(Index h, Index w, Index height, Index width, Index crop, Index crops);

}  // namespace framefold

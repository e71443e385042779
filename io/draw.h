// Composition of our pictures: frames in labelled rows, errors as heat, strips and animations.
//
// Clips are [T, H, W, C] with C 1 or 3, u8 (0..255) or f32 (0..1, clamped; NaN shows as 0). In
// strips and animations frames are enlarged by a whole factor, nearest. Composed pictures have 3
// channels and a white ground. The same input gives the same bytes.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "io/picture.h"
#include "kernels/tensor.h"

namespace framefold {

using Colour = std::array<std::uint8_t, 3>;

// Frame t of a clip.
Picture frame_of(View clip, Index t);

// |original - reconstruction| of frame t, the mean over channels, on the inferno map: black is 0,
// pale yellow 0.5 of white or more, the same in every picture.
Picture error_of(View original, View reconstruction, Index t);

// The perceptually uniform map "inferno" of matplotlib (CC0) for a value in 0..1: its table at 17
// equal steps, straight lines between, at most 6 of 255 away from it.
Colour inferno(float value);

Picture upscale(const Picture& picture, Index factor);

// By the least whole factor that makes both sides `least` pixels or more.
Picture enlarged(const Picture& picture, Index least = 96);

// Copies `piece`, which must lie within `onto`; grey becomes colour where `onto` has it.
void paste(Picture& onto, const Picture& piece, Index x, Index y);

// Printable ASCII in 5 x 7 dots of scale^2 pixels, 6 x 8 with its gaps; other bytes show as '?'.
Picture draw_text(std::string_view text, Index scale);

struct LabelledRow {
  std::string label;
  std::vector<Picture> frames;
};

// Rows below each other, each frame beside the next, each label above its row.
Picture draw_rows(const std::vector<LabelledRow>& rows);

// What a model saw in place of the original, for a row or column of its own.
struct Seen {
  View clip = {};     // as the original; without data: the original itself, which is not repeated
  std::string label;  // "corrupted"
};

// Rows original, what was seen, reconstruction, error; at most 8 frames, evenly over the clip from
// first to last. Batches of pictures [N, H, W, C] suit as well.
Picture draw_strip(View original, View reconstruction, const Seen& seen = {});

// A picture for each frame: original | seen | reconstruction | error.
std::vector<Picture> draw_animation(View original, View reconstruction, const Seen& seen = {});

}  // namespace framefold

// How a clip is cut into tubelets, the tokens of a video transformer.
//
//   clip      [B, T, H, W, C]   whole numbers of tubelets along T, H and W
//   grid      [T / t, H / h, W / w], tokens numbered along it, w fastest
//   a tubelet [t h w C]: the order of axes is the clip's, channels fastest
//
// That is the order in which conv3d's weight [t, h, w, C, O] lies, so the patch embedding is that
// weight as [t h w C, O]. A published one [O, C, t, h, w] is permuted by (2, 3, 4, 1, 0).
#pragma once

#include "kernels/check.h"
#include "kernels/tensor.h"

namespace framefold {

struct TubeletGrid {
  Extents size;  // of a tubelet
  Extents grid;
  Index channels;
  Index row, frame, sample;  // elements of the clip's lines, frames and samples

  TubeletGrid(const Shape& clip, const Extents& tubelet)
      : size(tubelet),
        grid{clip[1] / tubelet[0], clip[2] / tubelet[1], clip[3] / tubelet[2]},
        channels(clip[4]),
        row(clip[3] * clip[4]),
        frame(clip[2] * row),
        sample(clip[1] * frame) {}

  constexpr Index tokens() const { return grid[0] * grid[1] * grid[2]; }
  constexpr Index lines() const { return size[0] * size[1]; }  // of a tubelet, each `line` elements
  constexpr Index line() const { return size[2] * channels; }
  constexpr Index features() const { return lines() * line(); }

  // Where a line of a tubelet begins in its sample.
  constexpr Index at(Index token, Index line) const {
    const Index t = token / (grid[1] * grid[2]) * size[0] + line / size[1];
    const Index h = token / grid[2] % grid[1] * size[1] + line % size[1];
    return t * frame + h * row + token % grid[2] * this->line();
  }
};

// The operands that operations on tubelets share: a clip and [B, M] numbers of tokens.
inline TubeletGrid expect_tubelets(std::string_view op, const TensorType& clip,
                                   const Extents& tubelet) {
  const Shape& shape = clip.shape;
  if (clip.dtype != DType::u8 || shape.rank() != 5 || shape.size() == 0)
    fail(ErrorCode::shape, op, ": clip is ", clip, ", expected u8 [B, T, H, W, C], none of them 0");
  for (int axis = 0; axis < 3; ++axis) {
    const Index size = tubelet[static_cast<std::size_t>(axis)];
    if (size < 1 || shape[axis + 1] % size != 0)
      fail(ErrorCode::shape, op, ": clip is ", clip, ", expected whole tubelets ",
           Shape(tubelet.begin(), tubelet.end()), " along T, H and W");
  }
  return {shape, tubelet};
}

inline void expect_tokens(std::string_view op, const TensorType& index, Index batch) {
  if (index.dtype == DType::i32 && index.shape.rank() == 2 && index.shape[0] == batch) return;
  fail(ErrorCode::shape, op, ": index is ", index, ", expected i32 [", batch,
       ", M] to match the samples of clip");
}

}  // namespace framefold

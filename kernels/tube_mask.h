// Which tokens of a clip a masked autoencoder sees, and which it must guess.
//
// Tokens stand on a grid [T, H, W], numbered t, h, w with w fastest. Cells are masked or kept:
//
//   tube     a cell is a place [H, W], the same in all T slots (Tong et al. 2022)
//   random   a cell is a token
//   frame    a cell is a slot, with all its tokens
//
//   visible   [B, N_visible]   i32, the kept tokens' numbers, ascending
//   masked    [B, N_masked]    i32, the others', ascending
//   samples   [B]              i32, numbers that draw the masks; without data: 0 to B - 1
//
// Of P cells trunc(ratio P) are masked, as the published code counts (in double): 176 of 14 x 14 at
// ratio 0.9, so 1408 of 1568 tokens. Masked are the cells with the smallest (word, cell), where
// cell c of sample s draws word c of Philox's stream stream_of(random.stream, s) under the seed:
// integers alone, so every device and any number of threads makes the same bits. Any grid below
// 2^31 tokens, 0 <= ratio < 1. No backward.
#pragma once

#include "kernels/philox.h"
#include "kernels/stream.h"

namespace framefold {

struct TubeMask {
  enum Kind : std::uint8_t { tube, random, frame };

  Kind kind = tube;
  Extents grid{8, 14, 14};
  double ratio = 0.9;

  Index tokens() const { return grid[0] * grid[1] * grid[2]; }
  Index cells() const;
  Index masked() const;  // tokens
  Index visible() const { return tokens() - masked(); }
};

void tube_mask(const Stream& stream, const TubeMask& mask, Random random, Tensor visible,
               Tensor masked, Workspace workspace, View samples);
Bytes tube_mask_workspace(const Stream& stream, const TubeMask& mask, Index batch);

}  // namespace framefold

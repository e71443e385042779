// The LSTM as a library holds its weights: for each gate a matrix [H, I] that multiplies x and one
// [H, H] that multiplies h, gate by gate in our order (i, f, g, o: linear layers 0 to 3 and 4 to 7
// of cuDNN), then the biases [4H]. A block of four is our weight with its axes exchanged.
#pragma once

#include "kernels/lstm.h"

namespace framefold {

struct LibraryLstm {
  Index inputs, hidden;

  // The first element of what linear layer 0 to 7 multiplies with, behind the space's.
  constexpr Index matrix(int layer) const {
    return layer < 4 ? layer * hidden * inputs
                     : 4 * hidden * inputs + (layer - 4) * hidden * hidden;
  }
  constexpr Index bias() const { return matrix(8); }
  constexpr Index size() const { return bias() + 4 * hidden; }
};

// What the library is asked for. It has no peepholes. It wants lengths on the host, where ours are
// not: a launcher reads no number of a tensor. And it wants an input.
inline bool library_supports(const TensorType& x, Index hidden, bool peepholes, bool lengths) {
  return (x.dtype == DType::f32 || x.dtype == DType::bf16) && !peepholes && !lengths &&
         x.shape[2] > 0 && std::max({x.shape[0], x.shape[1], x.shape[2], hidden}) < (1 << 24);
}

}  // namespace framefold

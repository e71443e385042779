// Copies of equally spaced blocks of bytes, shared among the threads: concat and slice are made of
// them. memcpy is both the reference and the fast path.
#pragma once

#include "kernels/stream.h"

namespace framefold {

// A tensor as `outer` repetitions of `extent` steps of `inner` elements along one axis.
struct AxisSplit {
  Index outer = 1;
  Index extent = 1;
  Index inner = 1;

  AxisSplit(const Shape& shape, int axis) : extent(shape[axis]) {
    for (int a = 0; a < axis; ++a) outer *= shape[a];
    for (int a = axis + 1; a < shape.rank(); ++a) inner *= shape[a];
  }
};

// Block i stands `i * stride` bytes behind the first; source and target do not overlap.
void copy_blocks(const Stream& stream, void* to, Index to_stride, const void* from,
                 Index from_stride, Index bytes, Index count);
void zero_blocks(const Stream& stream, void* to, Index to_stride, Index bytes, Index count);

}  // namespace framefold

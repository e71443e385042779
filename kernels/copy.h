// Copies of equally spaced blocks of bytes, shared among the threads: concat, slice and permute are
// made of them. They are both the reference and the fast path.
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

// Calls f with a zero of the unsigned type as wide as an element of `type`.
template <class F>
void for_element(DType type, F&& f) {
  switch (size_of(type)) {
    case 1: return f(std::uint8_t{});
    case 2: return f(std::uint16_t{});
    case 4: return f(std::uint32_t{});
    default: return f(std::uint64_t{});
  }
}

// Block i stands `i * stride` bytes behind the first; source and target do not overlap.
void copy_blocks(const Stream& stream, void* to, Index to_stride, const void* from,
                 Index from_stride, Index bytes, Index count);
// Of [B, ..., N, C] the first lengths[b] of a sample's N; past them zeros, whatever stood there.
// `to` may be `from`.
void copy_within(const Stream& stream, Tensor to, View from, View lengths);
void zero_blocks(const Stream& stream, void* to, Index to_stride, Index bytes, Index count);

// Whole blocks of to_stride bytes: `head` zeros, `bytes` of the source, whose blocks lie end to
// end, zeros.
void place_blocks(const Stream& stream, void* to, Index to_stride, Index head, const void* from,
                  Index bytes, Index count);

}  // namespace framefold

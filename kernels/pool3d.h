// What max_pool3d and mean_pool3d have in common: where their windows stand.
//
//   output o of an axis covers the positions o s - p <= i < o s - p + k of its input
#pragma once

#include <string_view>

#include "kernels/simd.h"
#include "kernels/stream.h"

namespace framefold {

struct Pool3d {
  Extents kernel{2, 2, 2};
  Extents stride{2, 2, 2};
  Extents padding{0, 0, 0};  // at both ends, at most half the kernel
};

// y's type for x [B, T, H, W, C], or an Error: T' = floor((T + 2 p - k) / s) + 1, likewise H', W'.
TensorType pool3d_type(std::string_view op, const Pool3d& pool, const TensorType& x);

struct Span {
  Index begin;
  Index end;
};

// A box of positions of one side: the window of an output, or the outputs that cover a position.
struct PoolBox {
  Span t, h, w;
  Extents extents;

  template <class Body>
  FRAMEFOLD_INLINE void for_each(Body&& body) const {
    for (Index i = t.begin; i < t.end; ++i)
      for (Index j = h.begin; j < h.end; ++j)
        for (Index k = w.begin; k < w.end; ++k) body((i * extents[1] + j) * extents[2] + k);
  }
};

struct PoolGeometry {
  Index batch;
  Index channels;
  Extents in;
  Extents out;
  Pool3d pool;

  PoolGeometry(const Pool3d& windows, const Shape& x, const Shape& y)
      : batch(x[0]), channels(x[4]), in{x[1], x[2], x[3]}, out{y[1], y[2], y[3]}, pool(windows) {}

  // The positions that an output of an axis covers, without the padding.
  constexpr Span window(std::size_t axis, Index o) const {
    const Index begin = o * pool.stride[axis] - pool.padding[axis];
    return {std::max<Index>(begin, 0), std::min(begin + pool.kernel[axis], in[axis])};
  }
  // The outputs that cover a position of an axis.
  constexpr Span covering(std::size_t axis, Index i) const {
    const Index from =
        i + pool.padding[axis] - pool.kernel[axis];  // the last i that is out of reach
    return {from < 0 ? 0 : from / pool.stride[axis] + 1,
            std::min((i + pool.padding[axis]) / pool.stride[axis] + 1, out[axis])};
  }
  constexpr PoolBox window(Index t, Index h, Index w) const {
    return {window(0, t), window(1, h), window(2, w), in};
  }
  constexpr PoolBox covering(Index t, Index h, Index w) const {
    return {covering(0, t), covering(1, h), covering(2, w), out};
  }
  constexpr Index volume() const { return pool.kernel[0] * pool.kernel[1] * pool.kernel[2]; }
};

// Calls body(row, b, t, h) for every row of `extents`, row = (b T + t) H + h.
template <class Body>
void for_rows(const Stream& stream, Index batch, const Extents& extents, Index channels,
              Body&& body) {
  const Index grain = 1 + (1 << 12) / (extents[2] * channels);
  parallel_for(stream, batch * extents[0] * extents[1], grain, [&](Index begin, Index end) {
    for (Index row = begin; row < end; ++row)
      body(row, row / (extents[0] * extents[1]), row / extents[1] % extents[0], row % extents[1]);
  });
}

}  // namespace framefold

// Channels run innermost; the sums of a position stay in the first-level cache.
#include "kernels/mean_pool3d.h"

namespace framefold {
namespace {

FRAMEFOLD_SIMD void average_row(const PoolGeometry& g, bool backward, Index t, Index h, float* to,
                                const float* from) {
  const float share = 1.0F / static_cast<float>(g.volume());
  const Index width = backward ? g.in[2] : g.out[2];
  for (Index w = 0; w < width; ++w, to += g.channels) {
    for (Index c = 0; c < g.channels; ++c) to[c] = 0;
    const PoolBox box = backward ? g.covering(t, h, w) : g.window(t, h, w);
    box.for_each([&](Index at) __attribute__((always_inline)) {
      const float* v = from + at * g.channels;
#pragma omp simd
      for (Index c = 0; c < g.channels; ++c) to[c] += v[c];
    });
    for (Index c = 0; c < g.channels; ++c) to[c] *= share;
  }
}

bool average(const Stream& stream, const PoolGeometry& g, bool backward, Tensor to, View from) {
  if (!stream.wants(Path::native) || from.dtype != DType::f32) return false;
  const Extents& extents = backward ? g.in : g.out;
  const Index sample = from.size() / g.batch;
  for_rows(stream, g.batch, extents, g.channels, [&](Index row, Index b, Index t, Index h) {
    average_row(g, backward, t, h, to.as<float>() + row * extents[2] * g.channels,
                from.as<float>() + b * sample);
  });
  return true;
}

}  // namespace

bool fast::mean_pool3d_forward(const Stream& stream, const Pool3d& pool, Tensor y, View x) {
  return average(stream, {pool, x.shape, y.shape}, false, y, x);
}

bool fast::mean_pool3d_dgrad(const Stream& stream, const Pool3d& pool, Tensor dx, View dy) {
  return average(stream, {pool, dx.shape, dy.shape}, true, dx, dy);
}

}  // namespace framefold

// Channels run innermost; the sums and maxima of a position stay in the first-level cache.
#include "kernels/max_pool3d.h"

namespace framefold {
namespace {

bool supported(const Stream& stream, View x) {
  return stream.wants(Path::native) && x.dtype == DType::f32;
}

FRAMEFOLD_SIMD void forward_row(const PoolGeometry& g, Index t, Index h, float* y,
                                std::int32_t* argmax, const float* x) {
  for (Index w = 0; w < g.out[2]; ++w, y += g.channels, argmax += g.channels) {
    std::int32_t best = -1;
    g.window(t, h, w).for_each([&](Index position) __attribute__((always_inline)) {
      const auto here = static_cast<std::int32_t>(position);
      const float* v = x + position * g.channels;
      if (best < 0) {
        best = here;
        for (Index c = 0; c < g.channels; ++c) y[c] = v[c];
        for (Index c = 0; c < g.channels; ++c) argmax[c] = here;
        return;
      }
#pragma omp simd
      for (Index c = 0; c < g.channels; ++c) {
        const bool wins = (v[c] > y[c]) | (v[c] != v[c]);
        y[c] = wins ? v[c] : y[c];
        argmax[c] = wins ? here : argmax[c];
      }
    });
  }
}

FRAMEFOLD_SIMD void dgrad_row(const PoolGeometry& g, Index t, Index h, float* dx, const float* dy,
                              const std::int32_t* argmax) {
  for (Index w = 0; w < g.in[2]; ++w, dx += g.channels) {
    const auto here = static_cast<std::int32_t>((t * g.in[1] + h) * g.in[2] + w);
    for (Index c = 0; c < g.channels; ++c) dx[c] = 0;
    g.covering(t, h, w).for_each([&](Index output) __attribute__((always_inline)) {
      const Index at = output * g.channels;
#pragma omp simd
      for (Index c = 0; c < g.channels; ++c) dx[c] += argmax[at + c] == here ? dy[at + c] : 0.0F;
    });
  }
}

}  // namespace

bool fast::max_pool3d_forward(const Stream& stream, const Pool3d& pool, Tensor y, Tensor argmax,
                              View x) {
  if (!supported(stream, x)) return false;
  const PoolGeometry g(pool, x.shape, y.shape);
  const Index sample = x.size() / g.batch;
  for_rows(stream, g.batch, g.out, g.channels, [&](Index row, Index b, Index t, Index h) {
    const Index at = row * g.out[2] * g.channels;
    forward_row(g, t, h, y.as<float>() + at, argmax.as<std::int32_t>() + at,
                x.as<float>() + b * sample);
  });
  return true;
}

bool fast::max_pool3d_dgrad(const Stream& stream, const Pool3d& pool, Tensor dx, View dy,
                            View argmax) {
  if (!supported(stream, dx)) return false;
  const PoolGeometry g(pool, dx.shape, dy.shape);
  const Index sample = dy.size() / g.batch;
  for_rows(stream, g.batch, g.in, g.channels, [&](Index row, Index b, Index t, Index h) {
    dgrad_row(g, t, h, dx.as<float>() + row * g.in[2] * g.channels, dy.as<float>() + b * sample,
              argmax.as<std::int32_t>() + b * sample);
  });
  return true;
}

}  // namespace framefold

// Channels run innermost; the sums and maxima of a position stay in the first-level cache.
#include "kernels/max_pool3d.h"

#include <array>
#include <utility>

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

constexpr Index most_rows = 4;

// Rows of outputs whose windows cover a row of the input.
struct CoveringRows {
  Index count = 0;
  std::array<Index, most_rows> first{};  // their first elements
};

// dx[c] = the sum of those dy[c] whose argmax[c] is `here`, over neighbours in each of the rows, in
// the order of the outputs.
template <std::size_t neighbours, std::size_t... row>
FRAMEFOLD_INLINE void sum_outputs(std::index_sequence<row...>, const CoveringRows& rows, Index at,
                                  Index channels, float* dx, std::int32_t here, const float* dy,
                                  const std::int32_t* argmax) {
#pragma omp simd
  for (Index c = 0; c < channels; ++c) {
    float sum = 0;
    const auto add = [&](Index first) __attribute__((always_inline)) {
      const float one = dy[first + c];
      sum += argmax[first + c] == here ? one : 0.0F;
      if constexpr (neighbours == 2) {
        const float two = dy[first + channels + c];
        sum += argmax[first + channels + c] == here ? two : 0.0F;
      }
    };
    (add(rows.first[row] + at), ...);
    dx[c] = sum;
  }
}

// A row of positions, over each of which one or two windows stand in every one of the rows.
template <std::size_t rows>
FRAMEFOLD_INLINE void sum_row(const PoolGeometry& g, const CoveringRows& covering,
                              std::int32_t here, float* dx, const float* dy,
                              const std::int32_t* argmax) {
  constexpr auto sequence = std::make_index_sequence<rows>{};
  for (Index w = 0; w < g.in[2]; ++w, ++here, dx += g.channels) {
    const Span outputs = g.covering(2, w);
    const Index at = outputs.begin * g.channels;
    if (outputs.end - outputs.begin == 1)
      sum_outputs<1>(sequence, covering, at, g.channels, dx, here, dy, argmax);
    else
      sum_outputs<2>(sequence, covering, at, g.channels, dx, here, dy, argmax);
  }
}

FRAMEFOLD_SIMD void dgrad_near(const PoolGeometry& g, const CoveringRows& rows, std::int32_t here,
                               float* dx, const float* dy, const std::int32_t* argmax) {
  switch (rows.count) {
    case 1: return sum_row<1>(g, rows, here, dx, dy, argmax);
    case 2: return sum_row<2>(g, rows, here, dx, dy, argmax);
    default: return sum_row<4>(g, rows, here, dx, dy, argmax);
  }
}

// Windows of any size and distance.
FRAMEFOLD_SIMD void dgrad_far(const PoolGeometry& g, Index t, Index h, float* dx, const float* dy,
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

void dgrad_row(const PoolGeometry& g, Index t, Index h, float* dx, const float* dy,
               const std::int32_t* argmax) {
  const PoolBox box = g.covering(t, h, 0);
  const Index count = (box.t.end - box.t.begin) * (box.h.end - box.h.begin);
  // One or two windows over each position of the row, up to its last.
  const bool near = g.pool.kernel[2] >= g.pool.stride[2] &&
                    g.pool.kernel[2] <= 2 * g.pool.stride[2] &&
                    g.covering(2, g.in[2] - 1).begin < g.out[2];
  if (!near || (count != 1 && count != 2 && count != most_rows))
    return dgrad_far(g, t, h, dx, dy, argmax);
  CoveringRows rows;
  for (Index i = box.t.begin; i < box.t.end; ++i)
    for (Index j = box.h.begin; j < box.h.end; ++j)
      rows.first[static_cast<std::size_t>(rows.count++)] =
          (i * g.out[1] + j) * g.out[2] * g.channels;
  dgrad_near(g, rows, static_cast<std::int32_t>((t * g.in[1] + h) * g.in[2]), dx, dy, argmax);
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

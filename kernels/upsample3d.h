// Resampling in time and space to any size; 2-D is T = 1 and stays so.
//
//   y[b, t, h, w, c] = sum over i, j, k of  a_T(t, i) a_H(h, j) a_W(w, k) x[b, i, j, k, c]
//
//   nearest      a(o, i) = 1 for i = floor(o N / M), from N positions to M
//   trilinear    a(o, i) = max(0, 1 - |s - i|) for s = (o + 1/2) N / M - 1/2, clamped to 0 .. N - 1
//
//   x, dx        [B, T, H, W, C]        f32, bf16 or f64 (all the same)
//   y, dy        [B, T', H', W', C]     as x
//
// The positions are exact fractions; trilinear is align_corners = false in the field's words.
// Shrinking interpolates as well, without averaging. dx is written (=): each position sums the dy
// that read it, in their order. Backward reads dy alone. Every number of threads gives the same.
#pragma once

#include "kernels/stream.h"

namespace framefold {

enum class Upsampling : std::uint8_t { nearest, trilinear };

void upsample3d_forward(const Stream& stream, Upsampling kind, Tensor y, Workspace workspace,
                        View x);
void upsample3d_dgrad(const Stream& stream, Upsampling kind, Tensor dx, Workspace workspace,
                      View dy);
Bytes upsample3d_workspace(const Stream& stream, const Shape& x, const Shape& y);  // of each

// Output o reads position `at` with 1 - fraction and the next one with the rest.
struct Tap {
  Index at;
  double fraction;
};

constexpr Tap tap_of(Upsampling kind, Index in, Index out, Index o) {
  if (kind == Upsampling::nearest) return {o * in / out, 0};
  const Index numerator = std::max<Index>(0, (2 * o + 1) * in - out);  // of s, over 2 out
  const Index at = numerator / (2 * out);
  if (at >= in - 1) return {in - 1, 0};
  return {at, static_cast<double>(numerator % (2 * out)) / static_cast<double>(2 * out)};
}

// What each target position of an axis reads: sources[starts[j]] to sources[starts[j + 1] - 1].
// Backward is a table too, with the roles changed.
struct ResampleAxis {
  Index targets;
  const std::int32_t* starts;
  const std::int32_t* sources;
  const double* weights;
};

struct Resample {
  Index batch;
  Index channels;
  Extents from;
  std::array<ResampleAxis, 3> axes;
};

// The fast path, f32: false where the operands are not for it.
namespace fast {
bool resample(const Stream& stream, const Resample& resample, Tensor to, Workspace workspace,
              View from);
}

}  // namespace framefold

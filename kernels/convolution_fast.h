// What the parts of the fast path share.
//
// One axis of a convolution as a gather sees it: destinations that read sources through taps.
//
//   destination j < count lies at coordinate first + step * j; through tap m < taps, which is the
//   kernel's number tap + tap_step * m, it reads the source at in_step * j + offset + move * m,
//   if that lies in [0, extent).
//
// Computing the coarse side, an axis is one such gather. Computing the fine side, it is one for
// each phase of the stride: positions that meet the same taps. So no product with a zero that the
// stride inserts is ever made. move > 0 on both sides: the taps of the fine side run backwards.
#pragma once

#include <numeric>
#include <span>

#include "kernels/convolution.h"
#include "kernels/microkernel.h"

namespace framefold {

struct GatherAxis {
  Index count, first, step;
  Index in_step, offset, move;
  Index taps, tap, tap_step;
  Index extent;

  Index source(Index j, Index m) const { return in_step * j + offset + move * m; }
  Index tap_of(Index m) const { return tap + tap_step * m; }
};

inline GatherAxis coarse_axis(const Convolution& c, std::size_t axis) {
  return {.count = c.coarse[axis],
          .first = 0,
          .step = 1,
          .in_step = c.stride[axis],
          .offset = -c.padding[axis],
          .move = c.dilation[axis],
          .taps = c.kernel[axis],
          .tap = 0,
          .tap_step = 1,
          .extent = c.fine[axis]};
}

// Phase `phase` < stride: the fine positions f with (f + padding) mod stride == phase, and the taps
// k with k * dilation mod stride == phase.
inline GatherAxis fine_axis(const Convolution& c, std::size_t axis, Index phase) {
  const Index stride = c.stride[axis];
  const Index dilation = c.dilation[axis];
  const Index every = stride / std::gcd(stride, dilation);  // taps of one phase are so far apart
  const Index first = ((phase - c.padding[axis]) % stride + stride) % stride;
  Index tap = 0;
  while (tap < every && tap * dilation % stride != phase) ++tap;
  const Index taps =
      tap < every && tap < c.kernel[axis] ? (c.kernel[axis] - 1 - tap) / every + 1 : 0;
  const Index last = tap + (taps - 1) * every;
  return {.count = first < c.fine[axis] ? (c.fine[axis] - 1 - first) / stride + 1 : 0,
          .first = first,
          .step = stride,
          .in_step = 1,
          .offset = taps > 0 ? (first + c.padding[axis] - last * dilation) / stride : 0,
          .move = every * dilation / stride,
          .taps = taps,
          .tap = last,
          .tap_step = -every,
          .extent = c.coarse[axis]};
}

// Channels whose rows of weights, read in place, begin to evict one another from the first-level
// cache: a quarter of a page.
constexpr Index far_apart = 256;

inline Index ceil_div(Index a, Index b) { return (a + b - 1) / b; }

// The sum for one side: what it reads and what it writes.
struct ConvolutionJob {
  Convolution c;
  bool to_fine;
  Index depth, cols;                // a group's channels, of the source and written
  Index source_channels, channels;  // all of them
  const float* source;
  const float* weight;
  bool packed;
  Index width;  // of a panel of packed weights
  float* out;
  const float* bias;
  const float* zeros;

  // The first panel of the run of taps that begins with `tap`, in the order of packing.
  const float* weights_at(Index group, Index tap) const {
    return packed ? weight + (group * c.taps() + tap) * packed_size()
                  : weight + tap * c.fine_group() * c.coarse_channels + group * cols;
  }
  Index packed_size() const { return ceil_div(cols, width) * width * depth; }  // of a tap
  const Extents& sources() const { return to_fine ? c.coarse : c.fine; }
  const Extents& extents() const { return to_fine ? c.fine : c.coarse; }
  Index phases(std::size_t axis) const { return to_fine ? c.stride[axis] : 1; }
  GatherAxis axis(std::size_t axis, Index phase) const {
    return to_fine ? fine_axis(c, axis, phase) : coarse_axis(c, axis);
  }
};

inline ConvolutionJob job_of(const Convolution& c, bool to_fine, float* out, const float* source,
                             const float* weight, const float* bias) {
  ConvolutionJob job{.c = c,
                     .to_fine = to_fine,
                     .depth = c.fine_group(),
                     .cols = c.coarse_group(),
                     .source_channels = c.fine_channels,
                     .channels = c.coarse_channels,
                     .source = source,
                     .weight = weight,
                     .packed = to_fine || c.coarse_channels > far_apart,
                     .width = 0,
                     .out = out,
                     .bias = bias,
                     .zeros = nullptr};
  if (to_fine) {
    std::swap(job.depth, job.cols);
    std::swap(job.source_channels, job.channels);
  }
  // Half as wide where that is enough: zeros would take the first-level cache.
  const Index width = micro_kernel().cols;
  job.width = 2 * job.cols <= width ? width / 2 : width;
  return job;
}

// For few channels written: each source is multiplied by all taps along W at once.
bool spreads(const ConvolutionJob& job);
Index spread_workspace(const Stream& stream, const ConvolutionJob& job);  // floats
void spread(const Stream& stream, const ConvolutionJob& job, float* workspace);

}  // namespace framefold

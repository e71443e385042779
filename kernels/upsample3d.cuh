// Device code of resampling: a thread makes 16 bytes of neighbouring channels and finds what they
// read from the positions alone. Memory-bound; the floor is one read and one write. Share reached:
// not measured.
#pragma once

#include "kernels/pool3d.cuh"
#include "kernels/upsample3d.h"

namespace framefold::gpu {

// One axis, of `in` positions in x and `out` in y.
struct ResampleLine {
  Upsampling kind;
  Index in, out;

  // Calls body(position, weight) for what output o reads.
  template <class Body>
  __device__ __forceinline__ void reads(Index o, Body&& body) const {
    const Tap tap = tap_of(kind, in, out, o);
    body(tap.at, static_cast<float>(1 - tap.fraction));
    if (tap.fraction > 0) body(tap.at + 1, static_cast<float>(tap.fraction));
  }

  // Calls body(output, weight) for the outputs that read position i, in their order.
  template <class Body>
  __device__ __forceinline__ void readers(Index i, Body&& body) const {
    Index begin = 0;  // bounds that may be too wide
    Index end = out;
    if (kind == Upsampling::nearest) {
      begin = divide_up(i * out, in);
      end = divide_up((i + 1) * out, in);
    } else {
      const Index low = ((2 * i - 1) * out - in) / (2 * in);
      const Index high = ((2 * i + 3) * out - in) / (2 * in) + 1;
      if (i > 0 && low > 0) begin = low;
      if (i < in - 1 && high < out) end = high;
    }
    for (Index o = begin; o < end; ++o)
      reads(o, [&](Index position, float weight) {
        if (position == i) body(o, weight);
      });
  }

  template <class Body>
  __device__ __forceinline__ void sources(bool backward, Index target, Body&& body) const {
    if (backward)
      readers(target, body);
    else
      reads(target, body);
  }
};

struct ResampleLines {
  ResampleLine t, h, w;
};

// Of x to y, or backward of dy to dx; `to` and `from` are their extents.
template <class T, int N>
__global__ void __launch_bounds__(pool_threads)
    resample_packs(ResampleLines lines, bool backward, Extents to_extents, Extents from_extents,
                   Index channels, Index count, T* to, const T* from) {
  const Index i = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= count) return;
  const PoolPlace at(i, to_extents, channels / N, N);
  const T* sample = from + at.b * positions_in(from_extents) * channels + at.channel;
  float sum[N] = {};
  lines.t.sources(backward, at.t, [&](Index t, float wt) {
    lines.h.sources(backward, at.h, [&](Index h, float wh) {
      lines.w.sources(backward, at.w, [&](Index w, float ww) {
        float values[N];
        load(values, sample + ((t * from_extents[1] + h) * from_extents[2] + w) * channels);
        for (int k = 0; k < N; ++k) sum[k] += wt * wh * ww * values[k];
      });
    });
  });
  store(to + i * N, sum);
}

}  // namespace framefold::gpu

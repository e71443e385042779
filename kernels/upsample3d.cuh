// Device code of resampling: a thread makes 16 bytes of neighbouring channels and finds what they
// read from the positions alone. Memory-bound; the floor is one read and one write. Share reached:
// not measured.
#pragma once

#include "kernels/pool3d.cuh"
#include "kernels/upsample3d.h"

namespace framefold::gpu {

// One axis, of `in` positions in x and `out` in y; its divisions as tap_of's.
class ResampleLine {
 public:
  ResampleLine(Upsampling kind, Index in, Index out)
      : kind_(kind), in_(in), out_(out), twice_in_(2 * in), twice_out_(2 * out) {}

  // Calls body(position, weight) for what output o reads.
  template <class Body>
  __device__ __forceinline__ void reads(Index o, Body&& body) const {
    Index numerator = 2 * o * in_;
    if (kind_ != Upsampling::nearest) numerator += in_ - out_;
    if (numerator < 0) numerator = 0;
    const Index at = twice_out_(numerator);
    const Index rest = numerator - at * twice_out_.by;
    if (kind_ == Upsampling::nearest || at >= in_ - 1 || rest == 0)
      return body(at < in_ ? at : in_ - 1, 1.0F);
    const double fraction = static_cast<double>(rest) * twice_out_.inverse;
    body(at, static_cast<float>(1 - fraction));
    body(at + 1, static_cast<float>(fraction));
  }

  // Calls body(output, weight) for the outputs that read position i, in their order.
  template <class Body>
  __device__ __forceinline__ void readers(Index i, Body&& body) const {
    Index begin = 0;  // bounds that may be too wide
    Index end = out_;
    if (kind_ == Upsampling::nearest) {
      begin = twice_in_(2 * (i * out_ + in_ - 1));
      end = twice_in_(2 * ((i + 1) * out_ + in_ - 1));
    } else {
      const Index low = (2 * i - 1) * out_ - in_;
      const Index high = (2 * i + 3) * out_ - in_;
      if (i > 0 && low > 0) begin = twice_in_(low);
      if (i < in_ - 1 && high < 2 * in_ * (out_ - 1)) end = high > 0 ? twice_in_(high) + 1 : 1;
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

 private:
  Upsampling kind_;
  Index in_, out_;
  Divisor twice_in_, twice_out_;
};

struct ResampleLines {
  ResampleLine t, h, w;
};

// Of x to y, or backward of dy to dx; `to` and `from` are their extents.
template <class T, int N>
__global__ void __launch_bounds__(pool_threads, 2)
    resample_packs(ResampleLines lines, PoolPlaces places, bool backward, Extents from_extents,
                   Index channels, Index count, T* to, const T* from) {
  const Index i = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= count) return;
  const PoolPlace at = places(i);
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

// Row by row: the rows that a target row reads are added up first, then their positions along W,
// so that a position of y costs its two neighbours and not eight.
#include "kernels/simd.h"
#include "kernels/upsample3d.h"

namespace framefold {
namespace {

FRAMEFOLD_SIMD void add_row(Index count, float* to, float weight, const float* from, bool first) {
  if (first)
    for (Index i = 0; i < count; ++i) to[i] = weight * from[i];
  else
    for (Index i = 0; i < count; ++i) to[i] += weight * from[i];
}

FRAMEFOLD_SIMD void resample_row(const ResampleAxis& axis, Index channels, float* to,
                                 const float* from) {
  for (Index w = 0; w < axis.targets; ++w, to += channels) {
    std::int32_t e = axis.starts[w];
    const std::int32_t end = axis.starts[w + 1];
    if (e == end) {
      for (Index c = 0; c < channels; ++c) to[c] = 0;
      continue;
    }
    const float* a = from + axis.sources[e] * channels;
    const auto wa = static_cast<float>(axis.weights[e]);
    if (++e == end) {
#pragma omp simd
      for (Index c = 0; c < channels; ++c) to[c] = wa * a[c];
      continue;
    }
    const float* b = from + axis.sources[e] * channels;
    const auto wb = static_cast<float>(axis.weights[e]);
#pragma omp simd
    for (Index c = 0; c < channels; ++c) to[c] = wa * a[c] + wb * b[c];
    while (++e < end) {
      const float* v = from + axis.sources[e] * channels;
      const auto weight = static_cast<float>(axis.weights[e]);
#pragma omp simd
      for (Index c = 0; c < channels; ++c) to[c] += weight * v[c];
    }
  }
}

}  // namespace

bool fast::resample(const Stream& stream, const Resample& r, Tensor to, Workspace workspace,
                    View from) {
  if (!stream.wants(Path::native) || from.dtype != DType::f32) return false;
  const ResampleAxis& ts = r.axes[0];
  const ResampleAxis& hs = r.axes[1];
  const ResampleAxis& ws = r.axes[2];
  const Index rows = r.batch * ts.targets * hs.targets;
  const Index width = r.from[2] * r.channels;
  float* sums = workspace.take<float>(stream.threads * width);
  parallel_for(stream, stream.threads, 1, [&](Index first, Index last) {
    for (Index part = first; part < last; ++part)
      for (Index row = rows * part / stream.threads; row < rows * (part + 1) / stream.threads;
           ++row) {
        const Index h = row % hs.targets;
        const Index t = row / hs.targets % ts.targets;
        const Index b = row / hs.targets / ts.targets;
        const float* source = nullptr;
        float* sum = sums + part * width;
        const bool single =
            ts.starts[t + 1] - ts.starts[t] == 1 && hs.starts[h + 1] - hs.starts[h] == 1;
        bool fresh = true;
        for (std::int32_t i = ts.starts[t]; i < ts.starts[t + 1]; ++i)
          for (std::int32_t j = hs.starts[h]; j < hs.starts[h + 1]; ++j) {
            source = from.as<float>() +
                     ((b * r.from[0] + ts.sources[i]) * r.from[1] + hs.sources[j]) * width;
            const double weight = ts.weights[i] * hs.weights[j];
            if (single && weight == 1) break;
            add_row(width, sum, static_cast<float>(weight), source, fresh);
            fresh = false;
            source = sum;
          }
        float* target = to.as<float>() + row * ws.targets * r.channels;
        if (source)
          resample_row(ws, r.channels, target, source);
        else
          std::fill_n(target, ws.targets * r.channels, 0.0F);
      }
  });
  return true;
}

}  // namespace framefold

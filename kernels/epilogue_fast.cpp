#include <algorithm>

#include "kernels/device.h"
#include "kernels/epilogue.h"
#include "kernels/simd.h"

namespace framefold {
namespace {

// Rows are summed in lines of several rows where C is small, so that vectors stay full, and in
// blocks of lines, so that long sums keep their digits.
constexpr Index line_floats = 64;
constexpr Index block_lines = 64;

Index line_width(Index c) { return c * std::max<Index>(1, line_floats / std::max<Index>(1, c)); }

FRAMEFOLD_SIMD void add(float* sum, const float* x, Index count) {
  for (Index i = 0; i < count; ++i) sum[i] += x[i];
}

}  // namespace

Bytes epilogue_backward_workspace(const Stream& stream, const TensorType& y) {
  if (on_device(stream)) return device<&epilogue_backward_workspace>(stream, y);
  if (y.dtype != DType::f32) return 0;
  return Workspace::padded(static_cast<Bytes>(2 * stream.threads * line_width(y.shape[-1])) *
                           sizeof(float));
}

bool fast::epilogue_backward(const Stream& stream, Activation activation, Tensor dz, Tensor dbias,
                             Workspace workspace, View dy, View y) {
  if (!stream.wants(Path::native) || dy.dtype != DType::f32) return false;
  const Index c = dy.shape[-1];
  const Index size = dy.size();
  const bool fused = activation.kind != Activation::none;
  if (size == 0 || (!fused && !dbias)) return true;

  const Index width = line_width(c);
  const Index lines = (size + width - 1) / width;
  const auto parts = std::clamp<Index>(size / 16384, 1, stream.threads);
  float* sums = dbias ? workspace.take<float>(2 * parts * width) : nullptr;
  parallel_for(stream, parts, 1, [&](Index first, Index last) {
    for (Index part = first; part < last; ++part) {
      const Index end = lines * (part + 1) / parts;
      float* total = sums + 2 * part * width;
      float* block = total + width;
      if (dbias) std::fill(total, total + width, 0.0F);
      for (Index begin = lines * part / parts; begin < end; begin += block_lines) {
        if (dbias) std::fill(block, block + width, 0.0F);
        for (Index line = begin; line < std::min(end, begin + block_lines); ++line) {
          const Index at = line * width;
          const Index count = std::min(width, size - at);
          const float* g = dy.as<float>() + at;
          if (fused) {
            fast::activate_gradient(activation, count, dz.as<float>() + at, g, y.as<float>() + at);
            g = dz.as<float>() + at;
          }
          if (dbias) add(block, g, count);
        }
        if (dbias) add(total, block, width);
      }
    }
  });
  if (dbias)
    for (Index i = 0; i < parts; ++i)
      for (Index at = 0; at < width; at += c) add(dbias.as<float>(), sums + 2 * i * width + at, c);
  return true;
}

}  // namespace framefold

// Rows stay in the first-level cache between the passes, so memory is read and written once.
#include "kernels/simd.h"
#include "kernels/softmax.h"

namespace framefold {
namespace {

bool supported(const Stream& stream, View x) {
  return stream.wants(Path::native) && x.dtype == DType::f32;
}

FRAMEFOLD_SIMD void forward_rows(Index rows, Index width, float* y, const float* x) {
  for (Index r = 0; r < rows; ++r, x += width, y += width) {
    float most = x[0];
#pragma omp simd reduction(max : most)
    for (Index c = 0; c < width; ++c) most = x[c] > most ? x[c] : most;
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (Index c = 0; c < width; ++c) {
      const float e = simd::exp(x[c] - most);
      y[c] = e;
      sum += e;
    }
    const float share = 1.0F / sum;
    for (Index c = 0; c < width; ++c) y[c] *= share;
  }
}

FRAMEFOLD_SIMD void dgrad_rows(Index rows, Index width, float* dx, const float* dy,
                               const float* y) {
  for (Index r = 0; r < rows; ++r, y += width, dx += width, dy += width) {
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (Index c = 0; c < width; ++c) sum += y[c] * dy[c];
#pragma omp simd
    for (Index c = 0; c < width; ++c) dx[c] = y[c] * (dy[c] - sum);
  }
}

}  // namespace

bool fast::softmax_forward(const Stream& stream, Tensor y, View x) {
  if (!supported(stream, x)) return false;
  const Index width = x.shape[-1];
  parallel_for(stream, x.size() / width, 1 + 4096 / width, [&](Index begin, Index end) {
    forward_rows(end - begin, width, y.as<float>() + begin * width, x.as<float>() + begin * width);
  });
  return true;
}

bool fast::softmax_dgrad(const Stream& stream, Tensor dx, View dy, View y) {
  if (!supported(stream, y)) return false;
  const Index width = y.shape[-1];
  parallel_for(stream, y.size() / width, 1 + 16384 / width, [&](Index begin, Index end) {
    const Index at = begin * width;
    dgrad_rows(end - begin, width, dx.as<float>() + at, dy.as<float>() + at, y.as<float>() + at);
  });
  return true;
}

}  // namespace framefold

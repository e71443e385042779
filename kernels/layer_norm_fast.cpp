// Rows stay in the first-level cache between the passes, so memory is read and written once.
#include <cmath>

#include "kernels/device.h"
#include "kernels/layer_norm.h"
#include "kernels/partial_sums.h"
#include "kernels/simd.h"

namespace framefold {
namespace {

bool supported(const Stream& stream, View x) {
  return stream.wants(Path::native) && x.dtype == DType::f32;
}

FRAMEFOLD_SIMD void forward_rows(Index rows, Index width, float eps, float* y, float* mean,
                                 float* rstd, const float* x, const float* gamma,
                                 const float* beta) {
  const auto count = static_cast<float>(width);
  for (Index r = 0; r < rows; ++r, x += width, y += width) {
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (Index c = 0; c < width; ++c) sum += x[c];
    const float m = sum / count;
    float squares = 0;
#pragma omp simd reduction(+ : squares)
    for (Index c = 0; c < width; ++c) squares += (x[c] - m) * (x[c] - m);
    const float s = 1.0F / std::sqrt(squares / count + eps);
    for (Index c = 0; c < width; ++c) y[c] = (x[c] - m) * s * gamma[c] + beta[c];
    mean[r] = m;
    rstd[r] = s;
  }
}

FRAMEFOLD_SIMD void dgrad_rows(Index rows, Index width, float* dx, const float* dy, const float* x,
                               const float* mean, const float* rstd, const float* gamma) {
  const float inverse = 1.0F / static_cast<float>(width);
  for (Index r = 0; r < rows; ++r, x += width, dx += width, dy += width) {
    const float m = mean[r];
    const float s = rstd[r];
    float sum_g = 0;
    float sum_gn = 0;
#pragma omp simd reduction(+ : sum_g, sum_gn)
    for (Index c = 0; c < width; ++c) {
      const float g = dy[c] * gamma[c];
      sum_g += g;
      sum_gn += g * (x[c] - m) * s;
    }
    sum_g *= inverse;
    sum_gn *= inverse;
    for (Index c = 0; c < width; ++c)
      dx[c] = s * (dy[c] * gamma[c] - sum_g - (x[c] - m) * s * sum_gn);
  }
}

// One thread's share of the rows, into its own partial sums.
FRAMEFOLD_SIMD void wgrad_rows(Index rows, Index width, float* dgamma, float* dbeta,
                               const float* dy, const float* x, const float* mean,
                               const float* rstd) {
  for (Index r = 0; r < rows; ++r, x += width, dy += width) {
    const float m = mean[r];
    const float s = rstd[r];
    for (Index c = 0; c < width; ++c) {
      dgamma[c] += dy[c] * (x[c] - m) * s;
      dbeta[c] += dy[c];
    }
  }
}

}  // namespace

bool fast::layer_norm_forward(const Stream& stream, LayerNorm norm, Tensor y, Tensor mean,
                              Tensor rstd, View x, View gamma, View beta) {
  if (!supported(stream, x)) return false;
  const Index width = x.shape[-1];
  parallel_for(stream, x.size() / width, 1 + 16384 / width, [&](Index begin, Index end) {
    forward_rows(end - begin, width, norm.eps, y.as<float>() + begin * width,
                 mean.as<float>() + begin, rstd.as<float>() + begin, x.as<float>() + begin * width,
                 gamma.as<float>(), beta.as<float>());
  });
  return true;
}

bool fast::layer_norm_dgrad(const Stream& stream, Tensor dx, View dy, View x, View mean, View rstd,
                            View gamma) {
  if (!supported(stream, x)) return false;
  const Index width = x.shape[-1];
  parallel_for(stream, x.size() / width, 1 + 16384 / width, [&](Index begin, Index end) {
    const Index at = begin * width;
    dgrad_rows(end - begin, width, dx.as<float>() + at, dy.as<float>() + at, x.as<float>() + at,
               mean.as<float>() + begin, rstd.as<float>() + begin, gamma.as<float>());
  });
  return true;
}

Bytes layer_norm_wgrad_workspace(const Stream& stream, const TensorType& x) {
  if (on_device(stream)) return device<&layer_norm_wgrad_workspace>(stream, x);
  return partial_sums_workspace<float>(stream, 2 * x.shape[-1]);
}

bool fast::layer_norm_wgrad(const Stream& stream, Tensor dgamma, Tensor dbeta, Workspace workspace,
                            View dy, View x, View mean, View rstd) {
  if (!supported(stream, x)) return false;
  const Index width = x.shape[-1];
  const float* sums = partial_sums<float>(
      stream, workspace, x.size() / width, 2 * width, [&](Index begin, Index end, float* own) {
        wgrad_rows(end - begin, width, own, own + width, dy.as<float>() + begin * width,
                   x.as<float>() + begin * width, mean.as<float>() + begin,
                   rstd.as<float>() + begin);
      });
  for (Index c = 0; c < width; ++c) {
    dgamma.as<float>()[c] += sums[c];
    dbeta.as<float>()[c] += sums[width + c];
  }
  return true;
}

}  // namespace framefold

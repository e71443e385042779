// Rows stay in the first-level cache between the passes, so memory is read and written once.
#include <cmath>
#include <cstring>

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
                                 float* rstd, const float* from, const float* gamma,
                                 const float* beta, float* summed, const float* b) {
  const auto count = static_cast<float>(width);
  for (Index r = 0; r < rows; ++r, from += width, y += width) {
    const float* x = from;
    if (b) {
      float* to = summed + r * width;
      const float* other = b + r * width;
#pragma omp simd
      for (Index c = 0; c < width; ++c) to[c] = x[c] + other[c];
      x = to;
    }
    const float sum = simd::sum_of(
        width, [=](Index c) __attribute__((always_inline)) { return x[c]; });
    const float m = sum / count;
    const float squares = simd::sum_of(
        width, [=](Index c) __attribute__((always_inline)) { return (x[c] - m) * (x[c] - m); });
    const float s = 1.0F / std::sqrt(squares / count + eps);
    for (Index c = 0; c < width; ++c) y[c] = (x[c] - m) * s * gamma[c] + beta[c];
    mean[r] = m;
    rstd[r] = s;
  }
}

// A row's gradient beside the norm's: to add, and where to write the sum again; either may be null.
struct Residual {
  float* db;
  const float* dsum;

  FRAMEFOLD_INLINE Residual row(Index at) const {
    return {db ? db + at : nullptr, dsum ? dsum + at : nullptr};
  }
};

Residual residual_of(Tensor db, View dsum) {
  return {db ? db.as<float>() : nullptr, dsum ? dsum.as<float>() : nullptr};
}

// dx[c] = gradient(c), and what the residual wants.
template <class Gradient>
FRAMEFOLD_INLINE void write_row(Index width, float* dx, Residual residual, Gradient gradient) {
  const float* dsum = residual.dsum;
  float* db = residual.db;
  if (dsum) {  // NOLINT(bugprone-branch-clone): it overlooks the sum
#pragma omp simd
    for (Index c = 0; c < width; ++c) dx[c] = gradient(c) + dsum[c];
  } else {
#pragma omp simd
    for (Index c = 0; c < width; ++c) dx[c] = gradient(c);
  }
  if (db) std::memcpy(db, dx, static_cast<std::size_t>(width) * sizeof(float));
}

// Means over a row: of dy gamma, and of dy gamma (x - mean) rstd.
struct RowMeans {
  float g, gn;
};

FRAMEFOLD_INLINE RowMeans means_of(Index width, const float* dy, const float* x, float m, float s,
                                   const float* gamma) {
  const float inverse = 1.0F / static_cast<float>(width);
  const float g = simd::sum_of(
      width, [=](Index c) __attribute__((always_inline)) { return dy[c] * gamma[c]; });
  const float gn = simd::sum_of(
      width, [=](Index c) __attribute__((always_inline)) { return dy[c] * gamma[c] * (x[c] - m); });
  return {g * inverse, gn * s * inverse};
}

FRAMEFOLD_SIMD void dgrad_rows(Index rows, Index width, float* dx, const float* dy, const float* x,
                               const float* mean, const float* rstd, const float* gamma,
                               Residual residual) {
  for (Index r = 0; r < rows; ++r, x += width, dx += width, dy += width) {
    const float m = mean[r];
    const float s = rstd[r];
    const RowMeans row = means_of(width, dy, x, m, s, gamma);
    write_row(
        width, dx, residual.row(r * width), [=](Index c) __attribute__((always_inline)) {
          return s * (dy[c] * gamma[c] - row.g - (x[c] - m) * s * row.gn);
        });
  }
}

// dgrad_rows and wgrad_rows.
FRAMEFOLD_SIMD void backward_rows(Index rows, Index width, float* dx, float* dgamma, float* dbeta,
                                  const float* dy, const float* x, const float* mean,
                                  const float* rstd, const float* gamma, Residual residual) {
  for (Index r = 0; r < rows; ++r, x += width, dx += width, dy += width) {
    const float m = mean[r];
    const float s = rstd[r];
    const RowMeans row = means_of(width, dy, x, m, s, gamma);
    write_row(
        width, dx, residual.row(r * width), [=](Index c) __attribute__((always_inline)) {
          const float d = dy[c];
          const float n = (x[c] - m) * s;
          dgamma[c] += d * n;
          dbeta[c] += d;
          return s * (d * gamma[c] - row.g - n * row.gn);
        });
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

// Adds to the parameters' gradients what body(first row, last row, sums [2, C]) adds to the sums.
template <class Body>
void add_sums(const Stream& stream, Tensor dgamma, Tensor dbeta, Workspace workspace, Index rows,
              Body&& body) {
  const Index width = dgamma.size();
  const float* sums = partial_sums<float>(stream, workspace, rows, 2 * width, body);
  for (Index c = 0; c < width; ++c) {
    dgamma.as<float>()[c] += sums[c];
    dbeta.as<float>()[c] += sums[width + c];
  }
}

}  // namespace

bool fast::layer_norm_forward(const Stream& stream, LayerNorm norm, Tensor y, Tensor mean,
                              Tensor rstd, View x, View gamma, View beta, Tensor sum, View b) {
  if (!supported(stream, x)) return false;
  const Index width = x.shape[-1];
  parallel_for(stream, x.size() / width, 1 + 16384 / width, [&](Index begin, Index end) {
    forward_rows(end - begin, width, norm.eps, y.as<float>() + begin * width,
                 mean.as<float>() + begin, rstd.as<float>() + begin, x.as<float>() + begin * width,
                 gamma.as<float>(), beta.as<float>(), b ? sum.as<float>() + begin * width : nullptr,
                 b ? b.as<float>() + begin * width : nullptr);
  });
  return true;
}

bool fast::layer_norm_dgrad(const Stream& stream, Tensor dx, View dy, View x, View mean, View rstd,
                            View gamma, Tensor db, View dsum) {
  if (!supported(stream, x)) return false;
  const Index width = x.shape[-1];
  const Residual residual = residual_of(db, dsum);
  parallel_for(stream, x.size() / width, 1 + 16384 / width, [&](Index begin, Index end) {
    const Index at = begin * width;
    dgrad_rows(end - begin, width, dx.as<float>() + at, dy.as<float>() + at, x.as<float>() + at,
               mean.as<float>() + begin, rstd.as<float>() + begin, gamma.as<float>(),
               residual.row(at));
  });
  return true;
}

bool fast::layer_norm_backward(const Stream& stream, Tensor dx, Tensor dgamma, Tensor dbeta,
                               Workspace workspace, View dy, View x, View mean, View rstd,
                               View gamma, Tensor db, View dsum) {
  if (!supported(stream, x)) return false;
  const Index width = x.shape[-1];
  const Residual residual = residual_of(db, dsum);
  add_sums(stream, dgamma, dbeta, workspace, x.size() / width,
           [&](Index row, Index end, float* own) {
             const Index at = row * width;
             backward_rows(end - row, width, dx.as<float>() + at, own, own + width,
                           dy.as<float>() + at, x.as<float>() + at, mean.as<float>() + row,
                           rstd.as<float>() + row, gamma.as<float>(), residual.row(at));
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
  add_sums(stream, dgamma, dbeta, workspace, x.size() / width,
           [&](Index row, Index end, float* own) {
             const Index at = row * width;
             wgrad_rows(end - row, width, own, own + width, dy.as<float>() + at, x.as<float>() + at,
                        mean.as<float>() + row, rstd.as<float>() + row);
           });
  return true;
}

}  // namespace framefold

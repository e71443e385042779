// Rows stay in the first-level cache between the passes, so memory is read and written once.
#include <limits>

#include "kernels/cross_entropy.h"
#include "kernels/pointwise.h"

namespace framefold {
namespace {

bool supported(const Stream& stream, View x) {
  return stream.wants(Path::native) && x.dtype == DType::f32;
}

// The sum of the rows' losses.
FRAMEFOLD_SIMD double forward_rows(Index rows, Index width, float* lse, const float* x,
                                   const float* t) {
  double loss = 0;
  for (Index r = 0; r < rows; ++r, x += width, t += width) {
    float most = -std::numeric_limits<float>::infinity();
#pragma omp simd reduction(max : most)
    for (Index c = 0; c < width; ++c) most = x[c] > most ? x[c] : most;
    float exponentials = 0;
    float weight = 0;
    float weighted = 0;
#pragma omp simd reduction(+ : exponentials, weight, weighted)
    for (Index c = 0; c < width; ++c) {
      const float logit = x[c] - most;
      exponentials += simd::exp(logit);
      weight += t[c];
      weighted += t[c] * logit;
    }
    const float log_sum = std::log(exponentials);
    lse[r] = most + log_sum;
    loss += static_cast<double>(weight * log_sum - weighted);
  }
  return loss;
}

FRAMEFOLD_SIMD void dgrad_rows(float factor, Index rows, Index width, float* dx, const float* x,
                               const float* t, const float* lse) {
  for (Index r = 0; r < rows; ++r, dx += width, x += width, t += width) {
    float weight = 0;
#pragma omp simd reduction(+ : weight)
    for (Index c = 0; c < width; ++c) weight += t[c];
    each(width, [=, shift = lse[r]](Index c) {
      dx[c] = factor * (simd::exp(x[c] - shift) * weight - t[c]);
    });
  }
}

}  // namespace

bool fast::cross_entropy_forward(const Stream& stream, Tensor y, Tensor lse, Workspace workspace,
                                 View x, View t) {
  if (!supported(stream, x)) return false;
  const Index width = x.shape[-1];
  const Index rows = lse.size();
  const double loss = piecewise_sum(
      stream, rows, cross_entropy_piece(width), workspace, [&](Index begin, Index end) {
        return forward_rows(end - begin, width, lse.as<float>() + begin,
                            x.as<float>() + begin * width, t.as<float>() + begin * width);
      });
  *y.as<float>() = static_cast<float>(loss / static_cast<double>(rows));
  return true;
}

bool fast::cross_entropy_dgrad(const Stream& stream, Tensor dx, View dy, View x, View t, View lse) {
  if (!supported(stream, x)) return false;
  const Index width = x.shape[-1];
  const float factor = *dy.as<float>() / static_cast<float>(lse.size());
  parallel_for(stream, lse.size(), cross_entropy_piece(width), [&](Index begin, Index end) {
    dgrad_rows(factor, end - begin, width, dx.as<float>() + begin * width,
               x.as<float>() + begin * width, t.as<float>() + begin * width,
               lse.as<float>() + begin);
  });
  return true;
}

}  // namespace framefold

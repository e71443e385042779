#include "kernels/gaussian_kl.h"
#include "kernels/pointwise.h"

namespace framefold {
namespace {

bool supported(const Stream& stream, View x) {
  return stream.wants(Path::native) && x.dtype == DType::f32;
}

FRAMEFOLD_SIMD double sum(Index count, const float* mu, const float* logvar) {
  return sum_of(count,
                [=](Index i) { return mu[i] * mu[i] + simd::exp(logvar[i]) - 1.0F - logvar[i]; });
}

FRAMEFOLD_SIMD void dgrad(float half, Index count, float* dlogvar, const float* logvar) {
  each(count, [=](Index i) { dlogvar[i] = half * (simd::exp(logvar[i]) - 1.0F); });
}

}  // namespace

bool fast::gaussian_kl_forward(const Stream& stream, LossReduction reduction, Tensor y,
                               Workspace workspace, View mu, View logvar) {
  if (!supported(stream, mu)) return false;
  const double total =
      piecewise_sum(stream, mu.size(), pointwise_grain, workspace,
                    [m = mu.as<float>(), v = logvar.as<float>()](Index begin, Index end) {
                      return sum(end - begin, m + begin, v + begin);
                    });
  *y.as<float>() = static_cast<float>(total * weight_of(reduction, mu.shape) / 2);
  return true;
}

bool fast::gaussian_kl_dlogvar(const Stream& stream, double half, Tensor dlogvar, View logvar) {
  if (!supported(stream, logvar)) return false;
  parallel_loop(
      stream, logvar.size(), [=](auto... a) { dgrad(static_cast<float>(half), a...); },
      dlogvar.as<float>(), logvar.as<float>());
  return true;
}

}  // namespace framefold

#include "kernels/gaussian_kl.h"

#include "kernels/device.h"
#include "kernels/pointwise.h"
#include "kernels/scale.h"

namespace framefold {

void gaussian_kl_forward(const Stream& stream, LossReduction reduction, Tensor y,
                         Workspace workspace, View mu, View logvar) {
  if (on_device(stream))
    return device<&gaussian_kl_forward>(stream, reduction, y, workspace, mu, logvar);
  if (fast::gaussian_kl_forward(stream, reduction, y, workspace, mu, logvar)) return;
  for_float(mu.dtype, [&]<class T>(T) {
    using A = Accumulator<T>;
    const double sum =
        parallel_sum(stream, mu.size(), workspace, [m = mu.as<T>(), v = logvar.as<T>()](Index i) {
          const auto mean = static_cast<A>(m[i]);
          const auto log_variance = static_cast<A>(v[i]);
          return mean * mean + std::exp(log_variance) - 1 - log_variance;
        });
    *y.as<A>() = static_cast<A>(sum * weight_of(reduction, mu.shape) / 2);
  });
}

Bytes gaussian_kl_workspace(const TensorType& mu) {
  return piecewise_sum_workspace(mu.shape.size(), pointwise_grain);
}

void gaussian_kl_dgrad(const Stream& stream, LossReduction reduction, Tensor dmu, Tensor dlogvar,
                       View dy, View mu, View logvar) {
  if (on_device(stream))
    return device<&gaussian_kl_dgrad>(stream, reduction, dmu, dlogvar, dy, mu, logvar);
  for_float(mu.dtype, [&]<class T>(T) {
    using A = Accumulator<T>;
    const A factor = *dy.as<A>() * static_cast<A>(weight_of(reduction, mu.shape));
    if (dmu) scale(stream, static_cast<double>(factor), 0, dmu, mu);
    if (!dlogvar || fast::gaussian_kl_dlogvar(stream, factor / 2, dlogvar, logvar)) return;
    parallel_each(stream, mu.size(),
                  [half = factor / 2, to = dlogvar.as<T>(), v = logvar.as<T>()](Index i) {
                    to[i] = T(half * (std::exp(static_cast<A>(v[i])) - 1));
                  });
  });
}

}  // namespace framefold

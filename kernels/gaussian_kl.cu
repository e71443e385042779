#include "kernels/gaussian_kl.h"

#include "kernels/device/total.cuh"

namespace framefold {
namespace gpu {
namespace {

struct Divergence {
  __device__ __forceinline__ float operator()(float mean, float log_variance) const {
    return mean * mean + expf(log_variance) - 1 - log_variance;
  }
};

struct MeanGradient {
  const float* dy;
  float weight;
  __device__ __forceinline__ float operator()(Index, float mean) const {
    return *dy * weight * mean;
  }
};

struct LogVarianceGradient {
  const float* dy;
  float weight;
  __device__ __forceinline__ float operator()(Index, float log_variance) const {
    return *dy * weight / 2 * (expf(log_variance) - 1);
  }
};

void gaussian_kl_forward(const Stream& stream, LossReduction reduction, Tensor y,
                         Workspace workspace, View mu, View logvar) {
  for_device_float(mu.dtype, [&]<class T>(T) {
    sum_elements(stream, Divergence{}, mu.size(), y.as<float>(), weight_of(reduction, mu.shape) / 2,
                 workspace, mu.as<T>(), logvar.as<T>());
  });
}

void gaussian_kl_dgrad(const Stream& stream, LossReduction reduction, Tensor dmu, Tensor dlogvar,
                       View dy, View mu, View logvar) {
  const auto weight = static_cast<float>(weight_of(reduction, mu.shape));
  const auto* cotangent = dy.as<float>();
  for_device_float(mu.dtype, [&]<class T>(T) {
    if (dmu) map(stream, MeanGradient{cotangent, weight}, mu.size(), dmu.as<T>(), mu.as<T>());
    if (dlogvar)
      map(stream, LogVarianceGradient{cotangent, weight}, mu.size(), dlogvar.as<T>(),
          logvar.as<T>());
  });
}

const OnDevice<&framefold::gaussian_kl_forward> forward_path(gaussian_kl_forward);
const OnDevice<&framefold::gaussian_kl_dgrad> dgrad_path(gaussian_kl_dgrad);

}  // namespace
}  // namespace gpu
}  // namespace framefold

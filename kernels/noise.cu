#include "kernels/noise.h"

#include "kernels/device/map.cuh"

namespace framefold {
namespace gpu {
namespace {

// Random::normal over the device's functions: the CPU's numbers but for rounding.
__device__ __forceinline__ float normal(const Random& random, std::uint64_t i) {
  const float radius = sqrtf(-2.0F * logf(1.0F - random.uniform(2 * i)));
  return radius * cosf(6.28318530717958648F * random.uniform(2 * i + 1));
}

struct AddNoise {
  Random random;
  Noise noise;

  __device__ __forceinline__ float operator()(Index i, float x) const {
    const float noisy = x + noise.amount * normal(random.here(), static_cast<std::uint64_t>(i));
    return noisy < noise.low ? noise.low : (noise.high < noisy ? noise.high : noisy);
  }
};

struct NoiseGradient {
  float low, high;
  __device__ __forceinline__ float operator()(Index, float dy, float y) const {
    return low < y && y < high ? dy : 0.0F;
  }
};

void noise_forward(const Stream& stream, Noise noise, Random random, Tensor y, View x) {
  for_device_float(x.dtype, [&]<class T>(T) {
    map(stream, AddNoise{random, noise}, x.size(), y.as<T>(), x.as<T>());
  });
}

void noise_dgrad(const Stream& stream, Noise noise, Tensor dx, View dy, View y) {
  for_device_float(y.dtype, [&]<class T>(T) {
    map(stream, NoiseGradient{noise.low, noise.high}, y.size(), dx.as<T>(), dy.as<T>(), y.as<T>());
  });
}

const OnDevice<&framefold::noise_forward> forward_path(noise_forward);
const OnDevice<&framefold::noise_dgrad> dgrad_path(noise_dgrad);

}  // namespace
}  // namespace gpu
}  // namespace framefold

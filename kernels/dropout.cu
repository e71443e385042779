#include "kernels/dropout.h"

#include "kernels/device/map.cuh"

namespace framefold {
namespace gpu {
namespace {

// Philox's words are a function of the index: the CPU's mask, bit for bit.
struct Dropout {
  Random random;
  float rate, scale;
  Index each;

  __device__ __forceinline__ float operator()(Index i, float x) const {
    return random.here().uniform(static_cast<std::uint64_t>(i / each)) >= rate ? scale * x : 0.0F;
  }
};

void dropout(const Stream& stream, float rate, Index each, Random random, Tensor y, View x) {
  for_device_float(x.dtype, [&]<class T>(T) {
    map(stream, Dropout{random, rate, 1 / (1 - rate), each}, x.size(), y.as<T>(), x.as<T>());
  });
}

const OnDevice<&framefold::dropout> path(dropout);

}  // namespace
}  // namespace gpu
}  // namespace framefold

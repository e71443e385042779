#include "kernels/multiply.h"

#include "kernels/device/map.cuh"

namespace framefold {
namespace gpu {
namespace {

struct Multiply {
  __device__ __forceinline__ float operator()(Index, float a, float b) const { return a * b; }
};

void multiply(const Stream& stream, Tensor y, View a, View b) {
  for_device_float(a.dtype, [&]<class T>(T) {
    map(stream, Multiply{}, a.size(), y.as<T>(), a.as<T>(), b.as<T>());
  });
}

const OnDevice<&framefold::multiply> path(multiply);

}  // namespace
}  // namespace gpu
}  // namespace framefold

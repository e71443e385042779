#include "kernels/convert.h"

#include "kernels/device/map.cuh"

namespace framefold {
namespace gpu {
namespace {

struct Same {
  __device__ __forceinline__ float operator()(Index, float x) const { return x; }
};

void convert(const Stream& stream, Tensor y, View x) {
  if (y.dtype == DType::bf16) return map(stream, Same{}, x.size(), y.as<bf16>(), x.as<float>());
  map(stream, Same{}, x.size(), y.as<float>(), x.as<bf16>());
}

const OnDevice<&framefold::convert> path(convert);

}  // namespace
}  // namespace gpu
}  // namespace framefold

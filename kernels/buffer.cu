#include "kernels/buffer.h"

#include "kernels/device/map.cuh"

namespace framefold {
namespace gpu {
namespace {

struct Constant {
  float value;
  __device__ __forceinline__ float operator()(Index) const { return value; }
};

struct Sum {
  __device__ __forceinline__ float operator()(Index, float y, float x) const { return y + x; }
};

struct Restored {
  const float* verdict;
  __device__ __forceinline__ float operator()(Index, float y, float x) const {
    const float now = *verdict;
    return now == now ? y : x;
  }
};

void fill(const Stream& stream, Tensor y, float value) {
  map(stream, Constant{value}, y.size(), y.as<float>());
}

void accumulate(const Stream& stream, Tensor y, View x) {
  float* to = y.as<float>();
  map(stream, Sum{}, y.size(), to, static_cast<const float*>(to), x.as<float>());
}

void restore_where_nan(const Stream& stream, View verdict, Tensor y, View x) {
  float* to = y.as<float>();
  map(stream, Restored{verdict.as<float>()}, y.size(), to, static_cast<const float*>(to),
      x.as<float>());
}

const OnDevice<&framefold::fill> fill_path(fill);
const OnDevice<&framefold::accumulate> accumulate_path(accumulate);
const OnDevice<&framefold::restore_where_nan> restore_path(restore_where_nan);

}  // namespace
}  // namespace gpu
}  // namespace framefold

// Device code of activations: device/map.cuh's kernel over these functions.
#pragma once

#include "kernels/device/formula.cuh"
#include "kernels/device/map.cuh"

namespace framefold::gpu {

struct Activate {
  Activation activation;
  __device__ __forceinline__ float operator()(Index, float x) const {
    return activate(activation, x);
  }
};

struct ActivateGradient {
  Activation activation;
  __device__ __forceinline__ float operator()(Index, float dy, float from) const {
    return dy * activation_derivative(activation, from);
  }
};

}  // namespace framefold::gpu

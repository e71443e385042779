// The formulas that CPU and device share, over the device's functions.
#pragma once

#include "kernels/device/gpu.cuh"  // first: it lets formulas run on both sides

#include "kernels/activation_formula.h"

namespace framefold::gpu {

struct DeviceMath {
  __device__ __forceinline__ static float exp(float x) { return expf(x); }
  __device__ __forceinline__ static float log1p(float x) { return log1pf(x); }
  __device__ __forceinline__ static float tanh(float x) { return tanhf(x); }
  __device__ __forceinline__ static float sigmoid(float x) { return 1 / (1 + expf(-x)); }
  __device__ __forceinline__ static float erf(float x) { return erff(x); }
};

// The kind is the same for all threads, so the choice costs no divergence.
__device__ __forceinline__ float activate(Activation activation, float x) {
  float y = x;
  with_formula<float, DeviceMath>(activation, [&](auto formula) { y = formula.value(x); });
  return y;
}

__device__ __forceinline__ float activation_derivative(Activation activation, float from) {
  float slope = 1;
  with_formula<float, DeviceMath>(activation,
                                  [&](auto formula) { slope = formula.derivative(from); });
  return slope;
}

}  // namespace framefold::gpu

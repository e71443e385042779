// Every result of a call of the CUDA runtime passes here.
#pragma once

#include <cuda_runtime.h>

#include <string_view>

#include "kernels/error.h"

namespace framefold::gpu {

inline void check(cudaError_t result, std::string_view call) {
  if (result == cudaSuccess) return;
  cudaGetLastError();  // or it would be reported again, to a call that succeeds
  fail(result == cudaErrorMemoryAllocation ? ErrorCode::memory : ErrorCode::unavailable,
       "CUDA: ", call, ": ", cudaGetErrorString(result));
}

}  // namespace framefold::gpu

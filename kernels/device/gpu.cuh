// The one header that a CUDA source includes first. Under nvcc the names are CUDA's; under any
// other compiler they are those of the tests' runtime, which executes the kernels on the host.
//
//   FRAMEFOLD_SHARED(float, tile, [32][33]);      static shared memory
//   launch<&kernel<T>>(stream, {blocks, threads}, arguments...);
//
// Rules: docs/cuda.md.
#pragma once

#ifdef __CUDACC__
#include <cuda_runtime.h>

#include "kernels/device/check.h"
#define FRAMEFOLD_SHARED(type, name, ...) __shared__ type name __VA_ARGS__
#else
#include "simt/simt.h"
#define FRAMEFOLD_SHARED(type, name, ...)  \
  using name##_type = type __VA_ARGS__;    \
  static const char name##_key = 0;        \
  auto& name = *static_cast<name##_type*>( \
      ::simt::static_shared(&name##_key, #name, sizeof(name##_type), alignof(name##_type)))
#endif

#include "kernels/device.h"
#include "kernels/simd.h"
#include "kernels/tensor.h"

#ifdef __CUDACC__  // formulas that follow are for both sides
#undef FRAMEFOLD_INLINE
#define FRAMEFOLD_INLINE __host__ __device__ __forceinline__
#endif

namespace framefold::gpu {

constexpr unsigned all_lanes = 0xffffffffU;
constexpr int warp_size = 32;

// Blocks and threads of a launch, and the bytes of dynamic shared memory.
struct Grid {
  dim3 blocks;
  dim3 threads;
  unsigned shared = 0;
};

#ifdef __CUDACC__

// The block's dynamic shared memory.
template <class T>
__device__ __forceinline__ T* dynamic_shared(int) {
  extern __shared__ __align__(16) unsigned char framefold_dynamic_shared[];
  return reinterpret_cast<T*>(framefold_dynamic_shared);
}

// Every launch passes here.
template <auto kernel, class... Arguments>
void launch(const Stream& stream, const Grid& grid, Arguments... arguments) {
  const auto start = [&]<class... P>(void (*function)(P...)) {
    // Without asking, a kernel gets what its static memory leaves of 48 KiB.
    if (grid.shared > 0)
      check(cudaFuncSetAttribute(function, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                 static_cast<int>(grid.shared)),
            function_name<kernel>());
    cudaLaunchConfig_t config{};
    config.gridDim = grid.blocks;
    config.blockDim = grid.threads;
    config.dynamicSmemBytes = grid.shared;
    config.stream = static_cast<cudaStream_t>(stream.queue);
    check(cudaLaunchKernelEx(&config, function, static_cast<P>(arguments)...),
          function_name<kernel>());
  };
  start(kernel);
}

#else

template <class T>
T* dynamic_shared(int count) {
  return static_cast<T*>(::simt::dynamic_shared(static_cast<std::size_t>(count) * sizeof(T)));
}

template <auto kernel, class... Arguments>
void launch(const Stream& stream, const Grid& grid, Arguments... arguments) {
  (void)::simt::known<kernel, &function_name<kernel> >;
  const auto start = [&]<class... P>(void (*function)(P...)) {
    ::simt::launch(stream.queue, function_name<kernel>(), grid.blocks, grid.threads, grid.shared,
                   [=] { function(static_cast<P>(arguments)...); });
  };
  start(kernel);
}

#endif

}  // namespace framefold::gpu

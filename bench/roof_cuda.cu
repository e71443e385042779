#include <cuda_runtime.h>

#include <algorithm>

#include "bench/roof_cuda.h"
#include "kernels/error.h"

namespace framefold::bench {
namespace {

void check(cudaError_t status, const char* what) {
  if (status != cudaSuccess) fail(ErrorCode::unavailable, what, ": ", cudaGetErrorString(status));
}

__global__ void copy(float4* to, const float4* from, long count) {
  const long step = static_cast<long>(gridDim.x) * blockDim.x;
  for (long i = static_cast<long>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += step)
    to[i] = from[i];
}

// Eight independent chains, 2 operations an element and round; the store keeps them alive.
__global__ void multiply_add(float* out, int rounds) {
  float a[8];
  for (int k = 0; k < 8; ++k) a[k] = static_cast<float>(threadIdx.x + k);
  for (int r = 0; r < rounds; ++r)
    for (float& value : a) value = fmaf(value, 0.999F, 0.5F);
  float sum = 0;
  for (const float value : a) sum += value;
  out[static_cast<long>(blockIdx.x) * blockDim.x + threadIdx.x] = sum;
}

// The best of several timed runs after a warm one.
template <class Launch>
double best_seconds(Launch&& launch) {
  cudaEvent_t begin;
  cudaEvent_t end;
  check(cudaEventCreate(&begin), "cudaEventCreate");
  check(cudaEventCreate(&end), "cudaEventCreate");
  double best = 1e30;
  for (int run = 0; run < 6; ++run) {
    check(cudaEventRecord(begin), "cudaEventRecord");
    launch();
    check(cudaGetLastError(), "launch");
    check(cudaEventRecord(end), "cudaEventRecord");
    check(cudaEventSynchronize(end), "cudaEventSynchronize");
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, begin, end), "cudaEventElapsedTime");
    if (run > 0) best = std::min(best, 1e-3 * static_cast<double>(milliseconds));
  }
  check(cudaEventDestroy(begin), "cudaEventDestroy");
  check(cudaEventDestroy(end), "cudaEventDestroy");
  return best;
}

DeviceRoof roof_of(int device) {
  check(cudaSetDevice(device), "cudaSetDevice");
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, device), "cudaGetDeviceProperties");
  DeviceRoof roof{.name = properties.name};
  const unsigned blocks = 8U * static_cast<unsigned>(properties.multiProcessorCount);

  constexpr long count = 1L << 26;  // 1 GiB each way: past every cache
  float4* from = nullptr;
  float4* to = nullptr;
  check(cudaMalloc(&from, count * sizeof(float4)), "cudaMalloc");
  check(cudaMalloc(&to, count * sizeof(float4)), "cudaMalloc");
  check(cudaMemset(from, 0, count * sizeof(float4)), "cudaMemset");
  roof.copy_bytes_per_second =
      2.0 * count * sizeof(float4) / best_seconds([&] { copy<<<blocks, 256>>>(to, from, count); });

  constexpr int rounds = 1 << 14;
  const double seconds =
      best_seconds([&] { multiply_add<<<blocks, 256>>>(reinterpret_cast<float*>(to), rounds); });
  roof.fma_flops_per_second = 2.0 * 8 * rounds * 256.0 * blocks / seconds;
  check(cudaFree(from), "cudaFree");
  check(cudaFree(to), "cudaFree");
  return roof;
}

}  // namespace

std::vector<DeviceRoof> device_roofs(std::string& why_none) {
  int count = 0;
  if (const cudaError_t status = cudaGetDeviceCount(&count); status != cudaSuccess) {
    why_none = cudaGetErrorString(status);
    return {};
  }
  std::vector<DeviceRoof> roofs;
  for (int device = 0; device < count; ++device) roofs.push_back(roof_of(device));
  return roofs;
}

}  // namespace framefold::bench

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

// Keeps the device busy until the host has launched everything that is to be timed, so that its
// launches leave no gaps; not for ever, in case the host waits for the device meanwhile.
__global__ void wait_for(const volatile int* go, long long cycles) {
  const long long begun = clock64();
  while (*go == 0 && clock64() - begun < cycles) __nanosleep(200);
}

// The best of the runs of half a second, after a warm one: clocks need a while to rise.
template <class Launch>
double best_seconds(Launch&& launch) {
  cudaEvent_t begin;
  cudaEvent_t end;
  check(cudaEventCreate(&begin), "cudaEventCreate");
  check(cudaEventCreate(&end), "cudaEventCreate");
  double best = 1e30, total = 0;
  for (int run = 0; run < 6 || total < 0.5; ++run) {
    check(cudaEventRecord(begin), "cudaEventRecord");
    launch();
    check(cudaGetLastError(), "launch");
    check(cudaEventRecord(end), "cudaEventRecord");
    check(cudaEventSynchronize(end), "cudaEventSynchronize");
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, begin, end), "cudaEventElapsedTime");
    total += 1e-3 * static_cast<double>(milliseconds);
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

// Launches enter the default stream, as the rows' streams have no queue.
class FirstGpu : public Gpu {
 public:
  FirstGpu() {
    const DeviceRoof measured = roof_of(0);
    roof_ = {measured.fma_flops_per_second, measured.copy_bytes_per_second};
    int l2 = 0;
    check(cudaDeviceGetAttribute(&l2, cudaDevAttrL2CacheSize, 0), "cudaDeviceGetAttribute");
    flushed_ = 2 * static_cast<std::size_t>(l2);
    flush_ = allocate(flushed_);
    int kilohertz = 0;
    check(cudaDeviceGetAttribute(&kilohertz, cudaDevAttrClockRate, 0), "cudaDeviceGetAttribute");
    patience_ = 50LL * kilohertz;  // 50 ms
    check(cudaHostAlloc(&go_, sizeof *go_, cudaHostAllocMapped), "cudaHostAlloc");
    check(cudaEventCreate(&begin_), "cudaEventCreate");
    check(cudaEventCreate(&end_), "cudaEventCreate");
  }
  ~FirstGpu() override {
    release(flush_);
    cudaFreeHost(go_);
    cudaEventDestroy(begin_);
    cudaEventDestroy(end_);
  }

  void* allocate(std::size_t bytes) override {
    void* data = nullptr;
    check(cudaMalloc(&data, std::max<std::size_t>(bytes, 1)), "cudaMalloc");
    return data;
  }
  void release(void* data) override { cudaFree(data); }
  void upload(void* to, const void* from, std::size_t bytes) override {
    check(cudaMemcpy(to, from, bytes, cudaMemcpyHostToDevice), "cudaMemcpy");
  }
  void download(void* to, const void* from, std::size_t bytes) override {
    check(cudaMemcpy(to, from, bytes, cudaMemcpyDeviceToHost), "cudaMemcpy");
  }
  double seconds_of(const std::function<void()>& work, bool cold) override {
    set_go(0);
    wait_for<<<1, 1>>>(go_, patience_);
    check(cudaGetLastError(), "launch");
    if (cold) check(cudaMemsetAsync(flush_, ++value_, flushed_), "cudaMemsetAsync");
    check(cudaEventRecord(begin_), "cudaEventRecord");
    try {
      work();
    } catch (...) {
      set_go(1);
      throw;
    }
    check(cudaEventRecord(end_), "cudaEventRecord");
    set_go(1);
    check(cudaEventSynchronize(end_), "cudaEventSynchronize");
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, begin_, end_), "cudaEventElapsedTime");
    return 1e-3 * static_cast<double>(milliseconds);
  }
  const Roof& roof() const override { return roof_; }
  std::string fault() override {
    const cudaError_t status = cudaDeviceSynchronize();
    return status == cudaSuccess ? "" : cudaGetErrorString(status);
  }

 private:
  void set_go(int value) { *static_cast<volatile int*>(go_) = value; }

  Roof roof_;
  cudaEvent_t begin_, end_;
  void* flush_ = nullptr;
  std::size_t flushed_ = 0;
  int value_ = 0;
  int* go_ = nullptr;  // the host's, read by the device
  long long patience_ = 0;
};

}  // namespace

std::unique_ptr<Gpu> open_gpu() {
  int count = 0;
  check(cudaGetDeviceCount(&count), "no GPU");
  if (count == 0) fail(ErrorCode::unavailable, "no GPU");
  return std::make_unique<FirstGpu>();
}

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

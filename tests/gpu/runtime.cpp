// The tests' runtime on a real device: memory that host and device share, and a wait for the device
// wherever the host looks again. Schedules are the device's own.
#include "tests/simt/runtime.h"

#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <cstring>

namespace simt {
namespace {

void check(cudaError_t result, const char* call) {
  if (result != cudaSuccess) throw Error(std::string(call) + ": " + cudaGetErrorString(result));
}

}  // namespace

std::string why_no_device() {
  int count = 0;
  const cudaError_t result = cudaGetDeviceCount(&count);
  if (result != cudaSuccess) return std::string("no GPU: ") + cudaGetErrorString(result);
  return count == 0 ? "no GPU" : "";
}

bool has_bulk_copies() {
  int major = 0;
  check(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, 0),
        "cudaDeviceGetAttribute");
  return major >= 9;
}

void set_schedule(std::uint64_t) {}

void* allocate(std::size_t bytes) {
  void* data = nullptr;
  check(cudaMallocManaged(&data, bytes > 0 ? bytes : 1), "cudaMallocManaged");
  std::memset(data, 0xFF, bytes);
  return data;
}

void release(void* data) { cudaFree(data); }

HostKeepsOut::HostKeepsOut() = default;

HostKeepsOut::~HostKeepsOut() {
  const cudaError_t result = cudaDeviceSynchronize();
  if (result != cudaSuccess) ADD_FAILURE() << "the device: " << cudaGetErrorString(result);
}

const Names& known_kernels() {
  static const Names none;
  return none;
}
const Names& executed_kernels() { return known_kernels(); }
bool checks_races() { return false; }

}  // namespace simt

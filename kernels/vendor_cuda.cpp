#include "kernels/device/library.h"
#include "kernels/vendor.h"

namespace framefold {
namespace gpu {

std::string cublaslt_version();
#ifdef FRAMEFOLD_CUDNN
std::string cudnn_version();
#endif

namespace {

std::vector<std::pair<std::string, std::string>> vendor_libraries(const Stream& stream) {
  cudaDeviceProp device{};
  check(cudaGetDeviceProperties(&device, stream.device.index), "cudaGetDeviceProperties");
  std::vector<std::pair<std::string, std::string>> libraries{{"GPU", device.name}};
  if (const std::string version = cublaslt_version(); !version.empty())
    libraries.emplace_back("cuBLASLt", version);
#ifdef FRAMEFOLD_CUDNN
  if (const std::string version = cudnn_version(); !version.empty())
    libraries.emplace_back("cuDNN", version);
#endif
  return libraries;
}

const OnVendor<&framefold::vendor_libraries> path(vendor_libraries);

}  // namespace
}  // namespace gpu
}  // namespace framefold

// Graphics cards that cuDNN is told of, for which it makes plans where there is none.
#pragma once

#include "kernels/device/cudnn.h"

namespace framefold::gpu {

constexpr std::string_view h100 = R"({
  "deviceVer": 900, "driverVer": 13000, "cudaDeviceId": 0, "pciDeviceId": 0, "isTccDriver": 0,
  "deviceName": "NVIDIA H100 80GB HBM3", "multiProcessorCount": 132, "warpSize": 32,
  "maxGridSize": [2147483647, 65535, 65535], "maxBlockSize": [1024, 1024, 64],
  "maxThreadsPerBlock": 1024, "maxThreadsPerSM": 2048, "maxCtasPerSM": 32,
  "regsPerBlock": 65536, "maxRegistersPerSM": 65536, "maxSharedMemoryPerBlock": 49152,
  "maxSharedMemoryPerBlockOptin": 232448, "reservedSharedMemoryPerBlock": 1024,
  "supportCoopLaunch": 1, "totalGlobalMem": 85899345920, "l2CacheSize": 52428800,
  "smClockRateKHz": 1980000, "memClockRateKHz": 2619000})";

inline Descriptor described(std::string_view json) {
  Descriptor gpu(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
  gpu.set(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR, std::ssize(json),
          json.data());
  gpu.finalize();
  return gpu;
}

}  // namespace framefold::gpu

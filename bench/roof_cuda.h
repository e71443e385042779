// The roof of a GPU, measured: what a kernel's figure is held against.
#pragma once

#include <string>
#include <vector>

namespace framefold::bench {

struct DeviceRoof {
  std::string name;
  double copy_bytes_per_second = 0;  // read and written
  double fma_flops_per_second = 0;   // f32, outside the tensor cores
};

// One for each device; empty where there is none or the driver is missing, with the reason in
// `why_none`.
std::vector<DeviceRoof> device_roofs(std::string& why_none);

}  // namespace framefold::bench

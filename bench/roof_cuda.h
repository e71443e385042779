// A GPU as the benchmarks use it: its roof, its memory, its clock.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bench/bench.h"

namespace framefold::bench {

struct DeviceRoof {
  std::string name;
  double copy_bytes_per_second = 0;  // read and written
  double fma_flops_per_second = 0;   // f32, outside the tensor cores
};

// One for each device; empty where there is none or the driver is missing, with the reason in
// `why_none`.
std::vector<DeviceRoof> device_roofs(std::string& why_none);

// The first device. An Error where there is none.
std::unique_ptr<Gpu> open_gpu();

}  // namespace framefold::bench

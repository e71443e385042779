// The vendor's libraries behind Path::vendor: what a measurement of paths holds for.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "kernels/stream.h"

namespace framefold {

// Name and version of each in use on the stream's device, and on a GPU the device's own name.
std::vector<std::pair<std::string, std::string>> vendor_libraries(const Stream& stream);

}  // namespace framefold

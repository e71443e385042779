#include "kernels/device_runtime.h"

#include <map>

#include "kernels/device.h"

namespace framefold {
namespace {

struct Opened {
  std::unique_ptr<DeviceRuntime> runtime;
  DeviceRuntime::Queue queue = nullptr;  // lives as long as the program
};

Opened& opened(const Device& device) {
  static std::map<int, Opened> devices;
  Opened& found = devices[device.index];
  if (found.runtime) return found;
  if (!OpensDevice::opener)
    fail(ErrorCode::unavailable, "device cuda:", device.index,
         " is wanted, but this build has no CUDA; build with `cmake --preset cuda`, or take the "
         "device cpu");
  auto runtime = OpensDevice::opener(device.index);
  found.queue = runtime->make_queue();
  found.runtime = std::move(runtime);
  return found;
}

}  // namespace

DeviceRuntime& device_runtime(const Device& device) { return *opened(device).runtime; }

DeviceRuntime::Queue main_queue(const Device& device) { return opened(device).queue; }

Stream on_main_queue(Stream stream) {
  if (on_device(stream) && stream.queue == nullptr) stream.queue = main_queue(stream.device);
  return stream;
}

}  // namespace framefold

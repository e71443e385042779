// A device without a GPU, for the tests of what stands above the kernels: DeviceRuntime over the
// host runtime's memory and kernels. It stands behind every cuda:N of the test program.
//
// A queue is a list of work that is done late: when somebody waits for it, or earlier, as the order
// says. Every order that it draws is one that a device may take, so a wait that is missing, or
// memory that is used again too early, gives wrong numbers in some of them. Copies may touch whole
// buffers only, pinned memory is read when the copy's turn comes, other memory at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace simt {

// 0: as late as possible. 1: at once. Others: drawn from this seed.
void set_queue_order(std::uint64_t order);

// A fault planted into the double: what it then forgets.
enum class Forgets : std::uint8_t {
  nothing,
  waits_between_queues,  // work does not wait for another queue's event
  waits_of_the_host,     // the caller does not wait for an event
};
void set_forgets(Forgets what);

enum class Refusal : std::uint8_t { none, at_begin, at_end };
void refuse_capture(Refusal when);         // as a driver that cannot record something
void set_device_bytes(std::size_t bytes);  // what the device has; 0: as the runtime

struct DeviceCounts {
  int allocations = 0;  // of device and pinned memory, so far
  int captures = 0;
  int replays = 0;
  int launches = 0;  // outside of replays
};
const DeviceCounts& device_counts();
const std::vector<std::string>& device_ranges();  // begun so far

}  // namespace simt

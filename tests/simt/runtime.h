// What tests see of the host runtime: device memory, schedules, what has run.
//
// The runtime keeps to one OS thread. Every breach of a rule (a race, an access outside shared
// memory or outside a buffer, a barrier that not all threads reach, a lane missing from a warp's
// operation, a read of shared memory that nobody wrote) ends the launch with an Error that names
// kernel, block and thread. Races and addresses are checked where the kernels are compiled with
// -fsanitize=thread (its hooks are ours); under -fsanitize=address that sanitizer sees addresses.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <stdexcept>
#include <string>

namespace simt {

struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Why nothing can run here; empty on the host. tests/gpu/ implements this header on a device, for
// framefold-gpu-tests.
std::string why_no_device();
bool has_bulk_copies();  // sm_90 has

// 0: threads run in order. Odd: a random warp runs until it blocks. Even: any thread at any time.
void set_schedule(std::uint64_t seed);

// Device memory of exactly the wanted size, full of 0xFF, with a forbidden zone behind it.
void* allocate(std::size_t bytes);
void release(void* data);

struct DeviceMemory {
  explicit DeviceMemory(std::size_t bytes) : data(allocate(bytes)) {}
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;
  ~DeviceMemory() { release(data); }
  void* const data;
};

// While one lives, device memory belongs to kernels alone: where the host touches it, as a launcher
// may that forgot what it holds, the program ends with a message.
struct HostKeepsOut {
  HostKeepsOut();
  HostKeepsOut(const HostKeepsOut&) = delete;
  HostKeepsOut& operator=(const HostKeepsOut&) = delete;
  ~HostKeepsOut();
};

using Names = std::set<std::string, std::less<>>;
const Names& known_kernels();     // every launch in the source
const Names& executed_kernels();  // that have run to their end

inline bool is_probe(const std::string& kernel) {  // of the runtime's own tests
  return kernel.find("probe_") != std::string::npos;
}

bool checks_races();  // whether an instrumented kernel has run

}  // namespace simt

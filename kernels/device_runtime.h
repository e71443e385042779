// What the engine asks of a device beside kernels: memory, queues, events, recorded work. One
// implementation calls CUDA (device_runtime_cuda.cpp, in builds with CUDA alone), the tests have
// one that needs no GPU; each registers itself with OpensDevice.
//
// A queue does its work in order, queues among each other in any order but for the events that they
// wait for. Copies, fills and kernels are work: their call returns before they are done. Memory
// that a copy reads or writes must stay as it is until then; of the host's, pinned memory alone is
// copied that late, other memory is read before the call returns, or written.
#pragma once

#include <memory>
#include <string>

#include "kernels/stream.h"

namespace framefold {

class DeviceRuntime {
 public:
  using Queue = void*;  // as Stream::queue
  using Event = void*;
  using Graph = void*;

  DeviceRuntime() = default;
  DeviceRuntime(const DeviceRuntime&) = delete;
  DeviceRuntime& operator=(const DeviceRuntime&) = delete;
  virtual ~DeviceRuntime() = default;

  virtual std::string name() const = 0;  // of the device and its driver
  struct Memory {
    Bytes free = 0;
    Bytes total = 0;
  };
  virtual Memory memory() const = 0;

  // Null where there is not enough; aligned to 256 bytes. release waits for all work.
  virtual void* allocate(Bytes bytes) = 0;
  virtual void release(void* data) noexcept = 0;
  virtual void* allocate_pinned(Bytes bytes) = 0;
  virtual void release_pinned(void* data) noexcept = 0;

  virtual void copy(Queue queue, void* to, const void* from, Bytes bytes) = 0;  // either may be
                                                                                // the host's
  virtual void fill_bytes(Queue queue, void* to, int value, Bytes bytes) = 0;

  virtual Queue make_queue() = 0;
  virtual void release_queue(Queue queue) noexcept = 0;
  virtual void wait(Queue queue) = 0;  // the caller waits until it is empty

  virtual Event make_event() = 0;
  virtual void release_event(Event event) noexcept = 0;
  virtual void record(Event event, Queue queue) = 0;  // happens after the queue's work so far
  virtual void wait(Queue queue, Event event) = 0;    // work that follows waits for the last record
  virtual void wait_for(Event event) = 0;             // the caller does; no record: nothing
  virtual double seconds(Event from, Event to) = 0;   // between two that have happened

  // Between the two calls the queue's work is recorded instead of being done. end_capture fails
  // where something was asked that cannot be recorded.
  virtual void begin_capture(Queue queue) = 0;
  virtual Graph end_capture(Queue queue) = 0;
  virtual void replay(Graph graph, Queue queue) = 0;
  virtual void release_graph(Graph graph) noexcept = 0;

  virtual void begin_range(const std::string& name) = 0;  // for profilers; ranges nest
  virtual void end_range() = 0;
};

// The device's runtime, opened at the first call. Error(unavailable), in one sentence, where the
// build, the driver or the device is missing.
DeviceRuntime& device_runtime(const Device& device);

// The queue that all of the engine's work on a device enters but uploads.
DeviceRuntime::Queue main_queue(const Device& device);

// The same stream, on the device's main queue where it is on a device and has no queue.
Stream on_main_queue(Stream stream);

struct OpensDevice {
  using Open = std::unique_ptr<DeviceRuntime> (*)(int index);
  explicit OpensDevice(Open open) { opener = open; }
  [[gnu::visibility("default")]] static inline Open opener = nullptr;
};

}  // namespace framefold

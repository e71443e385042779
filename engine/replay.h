// Work of a device that is asked for again and again: done as it comes the first time, recorded the
// second time, replayed from then on. What cannot be recorded is done as it comes each time.
#pragma once

#include <string>

#include "kernels/device_runtime.h"

namespace framefold {

class Replay {
 public:
  // `stream` is on a device; without `records` nothing is ever recorded.
  explicit Replay(const Stream& stream, bool records = true);
  ~Replay() { forget(); }
  Replay(const Replay&) = delete;
  Replay& operator=(const Replay&) = delete;

  // `enqueue` asks for the same work each time, with the same addresses and numbers.
  template <class Enqueue>
  void run(const Enqueue& enqueue) {
    if (graph_ == nullptr && records_ && ++runs_ == 2) record(enqueue);
    if (graph_ != nullptr)
      runtime_->replay(graph_, queue_);
    else
      enqueue();
  }
  void forget();  // what was recorded: the work is another from now on

  const std::string& refusal() const {
    return refusal_;
  }  // why it is not recorded, if it should be

 private:
  template <class Enqueue>
  void record(const Enqueue& enqueue) {
    if (!begin()) return;
    try {
      enqueue();
    } catch (const Error& error) {
      abandon(error);
      return;
    }
    keep();
  }
  bool begin();  // false: refused
  void abandon(const Error& error);
  void keep();

  DeviceRuntime* runtime_;
  DeviceRuntime::Queue queue_;
  DeviceRuntime::Graph graph_ = nullptr;
  bool records_;
  int runs_ = 0;
  std::string refusal_;
};

}  // namespace framefold

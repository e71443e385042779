// Batches on their way to a device: pinned memory that the host fills, one upload a batch on a
// queue of its own, then a copy into the inputs of a plan. There are two slots, so that a batch is
// filled and uploaded while the device still works on the one before.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "engine/memory.h"
#include "kernels/philox.h"

namespace framefold {

struct UploadTimes {
  double seconds = 0;  // of all uploads, by the device's events
  int uploads = 0;
  Bytes bytes = 0;  // of each
};

class Feed {
 public:
  static constexpr int slots = 2;

  // `inputs` stand on the device. Beside a batch travel `randoms` streams of random numbers.
  Feed(const Stream& stream, std::vector<Tensor> inputs, std::size_t randoms);
  ~Feed();
  Feed(const Feed&) = delete;
  Feed& operator=(const Feed&) = delete;

  // What the host fills. free() waits until the slot's last upload has left it.
  std::span<const Tensor> inputs(int slot) const { return slots_[at(slot)].inputs; }
  std::span<Random> randoms(int slot) const { return slots_[at(slot)].randoms; }
  void free(int slot);

  void upload(int slot);  // begins once the device has taken what the slot held there
  void take(int slot);    // work that follows on the main queue sees the slot's batch

  UploadTimes times() const { return {seconds_, timed_, slot_bytes_}; }  // of slots filled again

  const Random* drawn() const { return drawn_; }  // on the device: the randoms of the batch taken

 private:
  struct Slot {
    std::vector<Tensor> inputs;
    std::span<Random> randoms;
    DeviceRuntime::Event begun = nullptr;
    DeviceRuntime::Event uploaded = nullptr;
    DeviceRuntime::Event taken = nullptr;
    bool used = false;  // since it was free
  };
  static std::size_t at(int slot) { return static_cast<std::size_t>(slot); }

  DeviceRuntime& runtime_;
  DeviceRuntime::Queue queue_;    // the main one
  DeviceRuntime::Queue uploads_;  // its own
  std::vector<Tensor> targets_;
  std::vector<Bytes> offsets_;  // of the inputs in a slot, then of the randoms
  Bytes slot_bytes_ = 0;
  Buffer host_, device_, drawn_here_;
  Random* drawn_ = nullptr;
  double seconds_ = 0;
  int timed_ = 0;
  std::array<Slot, slots> slots_;
};

}  // namespace framefold

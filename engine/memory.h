// The one place where the engine takes memory for tensors, so that it can be counted.
#pragma once

#include <optional>
#include <span>
#include <utility>

#include "kernels/device_runtime.h"
#include "kernels/tensor.h"

namespace framefold {

// Bytes that Buffers hold now, in this process, on the host and on devices.
Bytes tensor_memory();

// What the system can still give this process, swap included; nothing where it does not say. Limits
// of control groups are not seen.
std::optional<Bytes> available_memory();

// Owned memory, zeroed, aligned to 256 bytes; Error(memory) names the size that could not be had.
// On a device the zeros enter the main queue, and the host can't read what data() points to; pinned
// memory is the host's, and a device copies to and from it while the host goes on.
class Buffer {
 public:
  static constexpr Bytes alignment = 256;
  static constexpr Bytes padded(Bytes bytes) {
    return (bytes + alignment - 1) / alignment * alignment;
  }

  Buffer() = default;
  explicit Buffer(Bytes bytes, const Device& home = Device::cpu());
  static Buffer pinned(Bytes bytes, const Device& device);
  ~Buffer();
  Buffer(Buffer&& other) noexcept { *this = std::move(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    std::swap(runtime_, other.runtime_);
    std::swap(pinned_, other.pinned_);
    return *this;
  }

  std::byte* data() const { return data_; }
  Bytes bytes() const { return bytes_; }
  template <class T>
  std::span<T> as() const {
    return {reinterpret_cast<T*>(data_), bytes_ / sizeof(T)};
  }

 private:
  void take_on(const Device& device);

  std::byte* data_ = nullptr;
  Bytes bytes_ = 0;
  DeviceRuntime* runtime_ = nullptr;  // null: plain memory of the host
  bool pinned_ = false;
};

// f32 numbers that kernels work on, and on a device a copy of them for the host, which these calls
// bring up to date. On the CPU both are the same memory and the calls do nothing.
class Mirrored {
 public:
  Mirrored() = default;
  explicit Mirrored(Bytes bytes, const Device& device = Device::cpu());

  std::span<float> host() const { return host_.as<float>(); }
  std::span<float> live() const { return (live_.bytes() > 0 ? live_ : host_).as<float>(); }
  void upload() const;    // the host's numbers over the device's
  void download() const;  // the other way round
  Bytes bytes() const { return host_.bytes() + live_.bytes(); }

 private:
  Device device_;
  Buffer host_, live_;
};

}  // namespace framefold

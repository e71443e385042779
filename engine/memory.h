// The one place where the engine takes memory for tensors, so that it can be counted.
#pragma once

#include <span>
#include <utility>

#include "kernels/tensor.h"

namespace framefold {

// Bytes that Buffers hold now, in this process.
Bytes tensor_memory();

// Owned memory, zeroed, aligned to 256 bytes; Error(memory) names the size that could not be had.
class Buffer {
 public:
  static constexpr Bytes alignment = 256;
  static constexpr Bytes padded(Bytes bytes) {
    return (bytes + alignment - 1) / alignment * alignment;
  }

  Buffer() = default;
  explicit Buffer(Bytes bytes);
  ~Buffer();
  Buffer(Buffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }

  std::byte* data() const { return data_; }
  Bytes bytes() const { return bytes_; }
  template <class T>
  std::span<T> as() const {
    return {reinterpret_cast<T*>(data_), bytes_ / sizeof(T)};
  }

 private:
  std::byte* data_ = nullptr;
  Bytes bytes_ = 0;
};

}  // namespace framefold

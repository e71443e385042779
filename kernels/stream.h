// Where an operation runs and with what: the device, its threads, and which path is wanted.
#pragma once

#include <algorithm>
#include <cstddef>

#include "kernels/error.h"
#include "kernels/tensor.h"
#include "kernels/threads.h"

namespace framefold {

struct Device {
  enum class Kind : std::uint8_t { cpu, cuda };
  Kind kind = Kind::cpu;
  int index = 0;

  static Device cpu() { return {}; }
  static Device cuda(int index) { return {Kind::cuda, index}; }
  bool operator==(const Device&) const = default;
};

// automatic: the fastest path that supports the operands, by a fixed rule. reference: the plain
// loops. native: our fast code. vendor: oneDNN here, cuDNN or cuBLASLt on a GPU, and our fast code
// where it has nothing. A path that does not support the operands falls back to the reference.
enum class Path : std::uint8_t { automatic, reference, native, vendor };

struct Stream {
  Device device;
  int threads = 1;  // results depend on it only where a contract says so
  Path path = Path::automatic;
  void* queue = nullptr;  // on a CUDA device: the cudaStream_t that kernels enter in order

  bool wants(Path candidate) const {
    return path == Path::automatic || path == candidate ||
           (path == Path::vendor && candidate == Path::native);
  }
};

// Scratch memory of an operation, taken piece by piece in 64-byte steps.
class Workspace {
 public:
  static constexpr Bytes alignment = 64;

  Workspace() = default;
  Workspace(void* data, Bytes bytes) : data_(static_cast<std::byte*>(data)), left_(bytes) {}

  template <class T>
  T* take(Index count) {
    const Bytes wanted = padded(static_cast<Bytes>(count) * sizeof(T));
    if (wanted > left_)
      fail(ErrorCode::memory, "a workspace of ", left_, " bytes is left, ", wanted, " are needed");
    T* piece = reinterpret_cast<T*>(data_);
    data_ += wanted;
    left_ -= wanted;
    return piece;
  }
  Tensor take(const TensorType& type) {
    return {take<std::byte>(static_cast<Index>(type.bytes())), type.dtype, type.shape};
  }
  Bytes left() const { return left_; }

  static Bytes padded(Bytes bytes) { return (bytes + alignment - 1) / alignment * alignment; }

 private:
  std::byte* data_ = nullptr;
  Bytes left_ = 0;
};

// Calls body(begin, end) on pieces of [0, count), at most one a thread and none below `grain`
// elements; the pieces' bounds depend on count, grain and threads alone.
template <class Body>
void parallel_for(const Stream& stream, Index count, Index grain, Body&& body) {
  const Index most = std::max<Index>(1, count / std::max<Index>(1, grain));
  const Index pieces = std::min<Index>(stream.threads, most);
  if (pieces <= 1) {
    if (count > 0) body(Index{0}, count);
    return;
  }
  auto run = [&](Index piece) { body(count * piece / pieces, count * (piece + 1) / pieces); };
  run_pieces(pieces, run);
}

}  // namespace framefold

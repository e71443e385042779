// What parent and child of io/isolated_codecs.h say to each other.
//
// A request and its answer are one message each over the socket; what belongs to them lies in the
// shared memory behind its first page: the request's own bytes, then, in their place, the
// answer's: frames, an index, the words of an error. The first page stays mapped where it is, the
// others are mapped anew when the parent has made them more or fewer.
#pragma once

#include <atomic>
#include <cstdint>

#include "kernels/tensor.h"

namespace framefold::isolation {

constexpr int socket_number = 3, memory_number = 4;  // the child's open files
constexpr Bytes page = 4096;
constexpr Bytes usual = Bytes{64} << 20;  // of shared memory, taken as it is touched
constexpr Bytes most_words = 4000;        // of an error

enum class Kind : std::uint32_t { hello, scan, open_video, read_video, open_frames, next_frame };

struct Request {
  Kind kind;
  std::uint64_t bytes;   // of its own
  std::uint64_t shared;  // how many bytes lie behind the first page now
};

struct Answer {
  std::int32_t error;   // an ErrorCode, -1: none
  std::uint64_t bytes;  // of an index, of words
  std::int64_t number;  // packets decoded; whether there was a frame
};

// The first page.
struct Head {
  std::atomic<std::uint64_t> progress;  // packets read
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free && sizeof(Head) <= page);

// A mapping of the shared memory.
class Memory {
 public:
  Memory() = default;
  Memory(int file, Bytes offset, Bytes bytes);  // throws
  Memory(Memory&& other) noexcept;
  Memory& operator=(Memory&& other) noexcept;
  ~Memory();

  Bytes bytes() const { return bytes_; }
  std::uint8_t* data() const { return static_cast<std::uint8_t*>(address_); }
  Head& head() const { return *static_cast<Head*>(address_); }  // of the first page

 private:
  void* address_ = nullptr;
  Bytes bytes_ = 0;
};

}  // namespace framefold::isolation

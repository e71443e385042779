// Private to the runtime: shared and device memory, with a cell of bookkeeping for every two bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace simt {

// What the race checker remembers of two bytes. Times are epochs; 0 is never.
struct Cell {
  std::uint32_t written = 0;
  std::uint32_t read = 0;        // last
  std::uint32_t first_read = 0;  // in this launch
  std::uint16_t writer = 0;      // threads
  std::uint16_t reader = 0;
  std::uint16_t write_sync = 0;  // the warp's count of __syncwarp then
  std::uint16_t read_sync = 0;
  std::uint8_t valid = 0;   // bytes that belong to a piece
  bool lanes_read = false;  // several lanes of the reader's warp at read_sync
  bool warps_read = false;  // several warps in the epoch of `read`
  bool in_flight = false;   // a copy into it has begun and nobody has waited for it
};

constexpr std::size_t cell_bytes = 2;

struct Region {
  std::byte* data = nullptr;
  std::size_t bytes = 0;
  Cell* cells = nullptr;

  bool has(const void* p) const {
    return static_cast<std::size_t>(static_cast<const std::byte*>(p) - data) < bytes;
  }
};

extern Region shared_memory;
extern Region device_memory;

// Fails unless all of the bytes lie in one buffer.
void expect_buffer(const void* p, std::size_t bytes);

// The piece that an address lies in or behind: "tile + 132", "a buffer of 4096 bytes + 4100".
std::string name_of_address(const void* p);

}  // namespace simt

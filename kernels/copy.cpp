#include "kernels/copy.h"

#include <cstring>

#include "kernels/device.h"

namespace framefold {
namespace {

constexpr Index grain = 1 << 16;  // bytes below which a second thread does not pay

// Calls body(block, offset, length) for the parts of blocks that fall to each thread.
template <class Body>
void for_parts(const Stream& stream, Index bytes, Index count, Body&& body) {
  if (bytes == 0) return;
  parallel_for(stream, bytes * count, grain, [&](Index begin, Index end) {
    Index block = begin / bytes;
    Index offset = begin % bytes;
    while (begin < end) {
      const Index length = std::min(bytes - offset, end - begin);
      body(block, offset, static_cast<std::size_t>(length));
      begin += length;
      offset = 0;
      ++block;
    }
  });
}

// A few bytes a block, known to the compiler: a call of memcpy would cost more than the copy.
template <Index bytes>
void copy_small(const Stream& stream, std::byte* to, Index to_stride, const std::byte* from,
                Index from_stride, Index count) {
  parallel_for(stream, count, grain / bytes, [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i)
      std::memcpy(to + i * to_stride, from + i * from_stride, bytes);
  });
}

}  // namespace

void copy_blocks(const Stream& stream, void* to, Index to_stride, const void* from,
                 Index from_stride, Index bytes, Index count) {
  if (on_device(stream))
    return device<&copy_blocks>(stream, to, to_stride, from, from_stride, bytes, count);
  auto* target = static_cast<std::byte*>(to);
  const auto* source = static_cast<const std::byte*>(from);
  switch (bytes) {
    case 2: return copy_small<2>(stream, target, to_stride, source, from_stride, count);
    case 4: return copy_small<4>(stream, target, to_stride, source, from_stride, count);
    case 8: return copy_small<8>(stream, target, to_stride, source, from_stride, count);
    case 12: return copy_small<12>(stream, target, to_stride, source, from_stride, count);
    case 16: return copy_small<16>(stream, target, to_stride, source, from_stride, count);
    default: break;
  }
  for_parts(stream, bytes, count, [&](Index block, Index offset, std::size_t length) {
    std::memcpy(target + block * to_stride + offset, source + block * from_stride + offset, length);
  });
}

void zero_blocks(const Stream& stream, void* to, Index to_stride, Index bytes, Index count) {
  if (on_device(stream)) return device<&zero_blocks>(stream, to, to_stride, bytes, count);
  auto* target = static_cast<std::byte*>(to);
  for_parts(stream, bytes, count, [&](Index block, Index offset, std::size_t length) {
    std::memset(target + block * to_stride + offset, 0, length);
  });
}

}  // namespace framefold

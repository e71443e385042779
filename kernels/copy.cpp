#include "kernels/copy.h"

#include <algorithm>
#include <cstring>

#include "kernels/device.h"
#include "kernels/simd.h"

namespace framefold {
namespace {

constexpr Index grain = 1 << 16;    // bytes below which a second thread does not pay
constexpr Index word = 16;          // bytes; blocks of whole words are moved by loops of our own,
constexpr Index long_block = 1024;  // those of so many bytes and more by memcpy
constexpr Index line = 64;
constexpr Index ahead = 16;  // blocks: between them no hardware sees where the next one begins

using Word = std::uint32_t __attribute__((vector_size(16), aligned(1), may_alias));
using Words = std::uint32_t __attribute__((vector_size(64), aligned(1), may_alias));

// From nowhere: zeros.
FRAMEFOLD_INLINE void move_words(std::byte* to, const std::byte* from, Index bytes) {
  Index at = 0;
  for (; at + 4 * word <= bytes; at += 4 * word)
    *reinterpret_cast<Words*>(to + at) =
        from ? *reinterpret_cast<const Words*>(from + at) : Words{};
  for (; at < bytes; at += word)
    *reinterpret_cast<Word*>(to + at) = from ? *reinterpret_cast<const Word*>(from + at) : Word{};
}

// Blocks of whole words, so many bytes apart.
FRAMEFOLD_SIMD void copy_words(std::byte* to, Index to_stride, const std::byte* from,
                               Index from_stride, Index bytes, Index count) {
  for (Index i = 0; i < count; ++i, to += to_stride, from += from_stride) {
    for (Index at = 0; at < bytes; at += line) __builtin_prefetch(from + ahead * from_stride + at);
    move_words(to, from, bytes);
  }
}

// Zeros, the source's, which lie end to end, zeros.
FRAMEFOLD_SIMD void place_words(std::byte* to, Index head, const std::byte* from, Index bytes,
                                Index tail, Index count) {
  for (Index i = 0; i < count; ++i, to += head + bytes + tail, from += bytes) {
    move_words(to, nullptr, head);
    move_words(to + head, from, bytes);
    move_words(to + head + bytes, nullptr, tail);
  }
}

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
  if (bytes % word == 0 && bytes >= line && bytes < long_block && count > ahead)
    return parallel_for(stream, count, 1 + grain / bytes, [&](Index begin, Index end) {
      copy_words(target + begin * to_stride, to_stride, source + begin * from_stride, from_stride,
                 bytes, end - begin);
    });
  for_parts(stream, bytes, count, [&](Index block, Index offset, std::size_t length) {
    std::memcpy(target + block * to_stride + offset, source + block * from_stride + offset, length);
  });
}

void copy_within(const Stream& stream, Tensor to, View from, View lengths) {
  if (on_device(stream)) return device<&copy_within>(stream, to, from, lengths);
  const Index rows = to.shape[-2];
  const Index samples = to.shape[0];
  const auto step = static_cast<Index>(TensorType{to.dtype, {rows, to.shape[-1]}}.bytes());
  const Index count = step == 0 ? 0 : static_cast<Index>(to.bytes()) / step;
  parallel_for(stream, count, 1 + grain / std::max<Index>(step, 1), [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      const Index length = lengths.as<std::int32_t>()[i / (count / samples)];
      const Index kept = std::clamp<Index>(length, 0, rows) * (step / rows);
      auto* target = static_cast<std::byte*>(to.data) + i * step;
      const auto* source = static_cast<const std::byte*>(from.data) + i * step;
      if (target != source) std::memcpy(target, source, static_cast<std::size_t>(kept));
      std::memset(target + kept, 0, static_cast<std::size_t>(step - kept));
    }
  });
}

void zero_blocks(const Stream& stream, void* to, Index to_stride, Index bytes, Index count) {
  if (on_device(stream)) return device<&zero_blocks>(stream, to, to_stride, bytes, count);
  auto* target = static_cast<std::byte*>(to);
  for_parts(stream, bytes, count, [&](Index block, Index offset, std::size_t length) {
    std::memset(target + block * to_stride + offset, 0, length);
  });
}

void place_blocks(const Stream& stream, void* to, Index to_stride, Index head, const void* from,
                  Index bytes, Index count) {
  auto* target = static_cast<std::byte*>(to);
  const auto* source = static_cast<const std::byte*>(from);
  const Index tail = to_stride - head - bytes;
  if (on_device(stream) || bytes == 0 || to_stride >= long_block * 4 || head % word != 0 ||
      bytes % word != 0 || tail % word != 0) {
    zero_blocks(stream, target, to_stride, head, count);
    copy_blocks(stream, target + head, to_stride, from, bytes, bytes, count);
    zero_blocks(stream, target + head + bytes, to_stride, tail, count);
    return;
  }
  parallel_for(stream, count, 1 + grain / to_stride, [&](Index begin, Index end) {
    place_words(target + begin * to_stride, head, source + begin * bytes, bytes, tail, end - begin);
  });
}

}  // namespace framefold

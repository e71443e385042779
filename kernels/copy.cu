#include "kernels/copy.cuh"

#include "kernels/copy.h"

namespace framefold {
namespace gpu {
namespace {

void copy_blocks(const Stream& stream, void* to, Index to_stride, const void* from,
                 Index from_stride, Index bytes, Index count) {
  if (bytes * count == 0) return;
  const auto run = [&]<class Word>(Word) {
    constexpr Index size = sizeof(Word);
    const Index words = bytes / size;
    launch<&copy_words<Word>>(stream, {{blocks_of(divide_up(words * count, 256))}, {256}},
                              static_cast<Word*>(to), to_stride / size,
                              static_cast<const Word*>(from), from_stride / size, words, count);
  };
  with_word<std::uint8_t>(run, address(to), to_stride, address(from), from_stride, bytes);
}

void zero_blocks(const Stream& stream, void* to, Index to_stride, Index bytes, Index count) {
  gpu::copy_blocks(stream, to, to_stride, nullptr, 0, bytes, count);
}

const OnDevice<&framefold::copy_blocks> copy_path(copy_blocks);
const OnDevice<&framefold::zero_blocks> zero_path(zero_blocks);

}  // namespace
}  // namespace gpu
}  // namespace framefold

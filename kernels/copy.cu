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

void copy_within(const Stream& stream, Tensor to, View from, View lengths) {
  const Index rows = to.shape[-2];
  const auto bytes = static_cast<Index>(TensorType{to.dtype, {to.shape[-1]}}.bytes());
  if (to.size() == 0) return;
  with_word<std::uint8_t>(
      [&]<class Word>(Word) {
        const Index words = bytes / static_cast<Index>(sizeof(Word));
        const Index count = static_cast<Index>(to.bytes() / sizeof(Word));
        launch<&copy_words_within<Word>>(
            stream, {{blocks_of(divide_up(count, 256))}, {256}}, static_cast<Word*>(to.data),
            static_cast<const Word*>(from.data), lengths.as<std::int32_t>(), words, rows,
            count / (words * rows * to.shape[0]), count);
      },
      address(to.data), address(from.data), bytes);
}

void zero_blocks(const Stream& stream, void* to, Index to_stride, Index bytes, Index count) {
  gpu::copy_blocks(stream, to, to_stride, nullptr, 0, bytes, count);
}

const OnDevice<&framefold::copy_blocks> copy_path(copy_blocks);
const OnDevice<&framefold::copy_within> within_path(copy_within);
const OnDevice<&framefold::zero_blocks> zero_path(zero_blocks);

}  // namespace
}  // namespace gpu
}  // namespace framefold

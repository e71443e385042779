#include "kernels/permute.cuh"

namespace framefold {
namespace gpu {
namespace {

void permute_forward(const Stream& stream, Tensor y, View x, std::span<const int> order) {
  if (x.size() == 0) return;
  const PermutedAxes permuted(x.shape, order);
  const auto last = permuted.axes[permuted.count - 1];
  const auto size = static_cast<Index>(size_of(x.dtype));
  // Where the last axis stays whole, its bytes move in wide words.
  const Index run_bytes = last.step == 1 ? last.extent * size : size;
  const auto run = [&]<class Word>(Word) {
    constexpr Index word = sizeof(Word);
    WordAxes axes{};
    axes.count = static_cast<int>(permuted.count);
    for (std::size_t a = 0; a < permuted.count; ++a) {
      axes.extent[a] = permuted.axes[a].extent;
      axes.step[a] = permuted.axes[a].step * size / word;
    }
    if (last.step == 1) {
      axes.extent[permuted.count - 1] = last.extent * size / word;
      axes.step[permuted.count - 1] = 1;
    }
    const Index words = x.size() * size / word;
    launch<&permute_words<Word>>(stream, {{blocks_of(divide_up(words, 256))}, {256}}, axes, words,
                                 static_cast<Word*>(y.data), static_cast<const Word*>(x.data));
  };
  with_word<std::uint8_t>(run, address(y.data), address(x.data), run_bytes);
}

const OnDevice<&framefold::permute_forward> path(permute_forward);

}  // namespace
}  // namespace gpu
}  // namespace framefold

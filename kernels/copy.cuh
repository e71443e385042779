// Device code of block copies. Memory-bound; the floor is one read and one write. Share reached:
// not measured.
#pragma once

#include "kernels/device/words.cuh"

namespace framefold::gpu {

// Steps are counted in words; without `from` zeros are written.
template <class Word>
__global__ void __launch_bounds__(256) copy_words(Word* to, Index to_step, const Word* from,
                                                  Index from_step, Index words, Index count) {
  const Index i = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= words * count) return;
  const Index block = i / words;
  const Index word = i % words;
  to[block * to_step + word] = from ? from[block * from_step + word] : Word{};
}

// Rows of `words`, N of them in a block and `blocks` blocks in a sample; past the sample's length,
// zeros. `to` may be `from`.
template <class Word>
__global__ void __launch_bounds__(256)
    copy_words_within(Word* to, const Word* from, const std::int32_t* lengths, Index words, Index N,
                      Index blocks, Index count) {
  const Index i = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= count) return;
  const Index row = i / words;
  to[i] = row % N < lengths[row / (N * blocks)] ? from[i] : Word{};
}

}  // namespace framefold::gpu

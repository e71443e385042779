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

}  // namespace framefold::gpu

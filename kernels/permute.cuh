// Device code of permutations: words of y one after the other, each from its place in x. Memory-
// bound; the floor is one read and one write, of which strided reads reach a part. Not measured.
#pragma once

#include "kernels/device/words.cuh"
#include "kernels/permute.h"

namespace framefold::gpu {

struct WordAxes {
  Index extent[Shape::max_rank];
  Index step[Shape::max_rank];  // in x, in words
  int count;
};

template <class Word>
__global__ void __launch_bounds__(256)
    permute_words(WordAxes axes, Index count, Word* y, const Word* x) {
  const Index i = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= count) return;
  Index at = 0;
  Index index = i;
  for (int a = axes.count - 1; a >= 0; --a) {
    at += index % axes.extent[a] * axes.step[a];
    index /= axes.extent[a];
  }
  y[i] = x[at];
}

}  // namespace framefold::gpu

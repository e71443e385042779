// Mixup and CutMix: what a batch's clips take from each other.
//
//   clips   [B, T, H, W, C]  u8   in place
//   labels  [B, K]           f32  in place, each row a distribution; null where there are none
//
// Row i is mixed with row B - 1 - i as it was: mixup (Zhang et al. 2018) takes lambda of its own
// pixels and 1 - lambda of the other's; CutMix (Yun et al. 2019) pastes a rectangle of the other
// through all frames, sides sqrt(1 - lambda) of the frame's, cut at its edges, and sets lambda to
// the share that is left. Labels mix by the same lambda. One draw holds for the batch: lambda from
// Beta(alpha, alpha) of the one chosen, CutMix with probability `switching` where both alphas are
// above 0. Both 0: nothing changes. Deterministic; any sizes.
#pragma once

#include "io/sampling.h"
#include "kernels/philox.h"
#include "kernels/tensor.h"

namespace framefold {

struct Mixing {
  double mixup = 0, cutmix = 0;  // alphas; 0: not
  double probability = 1, switching = 0.5;
};

struct Mixed {
  double lambda = 1;  // of its own
  Box box;            // CutMix: what is the other's; otherwise empty
};

// What this batch's draw says for frames [H, W].
Mixed drawn_mix(const Mixing& options, Index height, Index width, Random random);
void mix(const Mixed& mixed, Tensor clips, float* labels, Index classes);
// The batch of a training step, by a draw of its own.
void mix_batch(const Mixing& mixing, std::uint64_t seed, Index step, Tensor clips,
               float* labels = nullptr, Index classes = 0);

}  // namespace framefold

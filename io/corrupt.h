// A corrupted clip beside its clean one, for autoencoders that restore: the first is what a model
// is fed, the second what its loss, measures and pictures compare with.
//
//   pair   [2T, H, W, C]     u8   a sample of paired(): T corrupted frames, then the T clean ones
//   pairs  [B, 2T, H, W, C]  u8   a batch of them
//
// Corruption is all of io/augment.h that is above 0, applied to the clean clip as its dataset gives
// it, so after its own augmentation. It draws from a stream of its own: a pure function of the
// random numbers that the sample is read with (seed, epoch and sample), or of the index alone, for
// held-out clips, which are so corrupted alike in every evaluation of every run.
#pragma once

#include <memory>

#include "io/augment.h"
#include "io/dataset.h"

namespace framefold {

enum class CorruptionDraw : std::uint8_t { by_random, by_index };

// Names, labels and size stay.
std::shared_ptr<const Dataset> paired(std::shared_ptr<const Dataset> clean,
                                      const Augmentation& corruption, CorruptionDraw draw);

// Copies the halves of `pairs` to two batches [B, T, H, W, C].
void unpair(View pairs, Tensor corrupted, Tensor clean);

}  // namespace framefold

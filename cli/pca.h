// Principal component analysis: the best linear autoencoder, which one that has learnt must beat.
//
//   clips are rows x of pixels from 0 to 1; m their mean, V the k eigenvectors of their covariance
//   with the largest eigenvalues, both over the training clips
//   reconstruction = m + (x - m) V V'
//
// In f32 with Eigen. Error(argument) where a clip has more than 4096 numbers: the covariance grows
// with their square.
// Source: Pearson 1901; Eckart and Young 1936.
#pragma once

#include "cli/evaluation.h"

namespace framefold {

Quality pca(const Dataset& train, const Dataset& held_out, Index held_out_clips, Index k);

}  // namespace framefold

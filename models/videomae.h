// VideoMAE (Tong et al. 2022): a clip is cut into tubelets, most are hidden, a transformer encodes
// the others, and a small one predicts the pixels of the hidden ones. Reads size or its numbers,
// mlp_ratio, tubelet, patch, positions, mask, mask_ratio, target, input, drop_path and the
// epsilons.
//
// Weights, C the encoder's width, D the decoder's, F the numbers of a tubelet (t, h, w, c):
//
//   encoder.patch_embed.weight, bias      [F, C], [C]
//   encoder.positions                     [N, C], where learned
//   encoder.blocks.i.*                    models/transformer.h
//   encoder.norm.gamma, beta              [C]
//   encoder_to_decoder.weight             [C, D]
//   mask_token                            [D]
//   decoder.blocks.i.*, decoder.norm.*
//   decoder.head.weight, bias             [D, F], [F]
//
// The decoder's positions are always sines and cosines. Initial values: the paper's code.
#pragma once

#include "kernels/tube_mask.h"
#include "kernels/tubelet_mse.h"
#include "models/model.h"

namespace framefold {

struct MaskedTokens;  // engine/ops.h

// The options with the size's numbers in the place of zeros, checked: Error(config).
ModelOptions videomae_options(ModelOptions options);

TubeMask videomae_mask(const ModelOptions& options);
TubeletMse videomae_target(const ModelOptions& options);

// Pre-training with a mask that is given. The encoder runs on visible tokens alone, the head on
// masked ones. Options as videomae_options returns them.
struct MaskedVideo {
  Value encoded;    // [B, N_visible, C], normalised
  Value predicted;  // [B, N_masked, F]
  Value loss;       // f32 [1]
};
MaskedVideo videomae_masked(Graph& g, const ModelOptions& options, Value clip,
                            const MaskedTokens& tokens);

// The mask is drawn anew in each run. `reconstruction` is the clip with predictions where it was
// masked.
Autoencoder videomae(Graph& g, const ModelOptions& options, Index batch);

// All tokens visible; normalised where encoder_norm says so.
Value videomae_encoder(Graph& g, const ModelOptions& options, Value clip);

}  // namespace framefold

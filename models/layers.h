// Layers: operations together with the parameters that they own. `name` scopes the parameters:
// conv(g, "encoder.0", ...) owns encoder.0.weight and encoder.0.bias.
#pragma once

#include <string>

#include "engine/ops.h"
#include "models/model.h"

namespace framefold::layers {

// x [..., K] -> [..., units]. He's initial weights before a rectifier, Glorot's otherwise.
Value dense(Graph& g, const std::string& name, Value x, Index units, Activation activation = {});

// x [B, T, H, W, C] -> [B, T', H', W', channels].
Value conv(Graph& g, const std::string& name, Value x, Index channels, Extents kernel,
           Conv3d attributes = {});
Value conv_transpose(Graph& g, const std::string& name, Value x, Index channels, Extents kernel,
                     ConvTranspose3d attributes = {});

// Group normalisation in groups of at least 8 channels (one group where C < 16), then SiLU.
Value norm_silu(Graph& g, const std::string& name, Value x);

// The input "clip", u8 [B, T, H, W, C].
Value clip_input(Graph& g, const ClipShape& shape, Index batch);

// A code [B, ..., C] as tokens [B, N, C], one for each of its places in their order.
Value tokens(Graph& g, Value code);

// The stride of an encoder's level. Clips must be divisible by the strides' product: otherwise
// Error(config) says what would fit.
Extents stride_of(const ModelOptions& options, std::size_t level);
void check_divisible(const ModelOptions& options);

// The u8 clips [B, T, H, W, C] that a model takes: input "clip", which it is fed, and what its loss
// compares with: the same, or where the options say so the input "target".
struct Inputs {
  Value clip, target;
};
Inputs inputs(Graph& g, const ModelOptions& options, Index batch);

// A decoder's last step: the loss between a prediction and the u8 clip that it stands for, and the
// reconstruction in 0 ... 1. With bce the prediction is a logit.
struct Ending {
  Value reconstruction;
  Value loss;
};
Ending compare(Graph& g, Value prediction, Value clip, const std::string& loss);

// Error(config) for an unknown name, with the nearest known one.
Activation activation_named(const std::string& name);
void check_loss_name(const std::string& name);

}  // namespace framefold::layers

// A model: options in, a graph out. One file per system of the literature; `models()` lists them.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/graph.h"

namespace framefold {

struct ClipShape {
  Index frames = 1;  // 1: single images
  Index height = 28;
  Index width = 28;
  Index channels = 1;
};

// The options of every autoencoder here; a model's file says which ones it reads. Configurations
// set them under `model.`.
struct ModelOptions {
  std::string name = "dense";       // one of models()
  ClipShape clip;                   // follows the data
  std::vector<Index> widths;        // dense: units from the first hidden layer to the code;
                                    // convolutional: channels by level
  Index spatial_levels = 0;         // 3-D: the first levels that halve height and width alone
  Index blocks = 1;                 // residual: blocks by level
  Index code = 0;                   // residual: channels of the code; 0: the last width
  std::string activation = "relu";  // relu, leaky_relu, tanh, sigmoid
  std::string loss = "mse";         // mse, l1, huber, bce (bce: the decoder ends in logits)
};

// What a model added to a graph. `clip` is the input "clip", u8 [B, T, H, W, C].
struct Autoencoder {
  Value clip;
  Value code;
  Value reconstruction;  // f32 [B, T, H, W, C], 0 black to 1 white; may pass both a little
  Value loss;            // f32 [1], the mean over elements
};

struct ModelInfo {
  std::string_view name;
  std::string_view summary;  // one sentence with the source
  Autoencoder (*build)(Graph& graph, const ModelOptions& options, Index batch);
  // The encoder alone: clip u8 [B, T, H, W, C] -> tokens [B, N, C]. Its parameters are named as in
  // the autoencoder, "encoder. ...", so that either takes the other's weights.
  Value (*encode)(Graph& graph, const ModelOptions& options, Value clip);
};
std::span<const ModelInfo> models();

// Error(config) for an unknown name, with the nearest known one, and for options out of range.
Autoencoder build_model(Graph& graph, const ModelOptions& options, Index batch);
Value encode(Graph& graph, const ModelOptions& options, Value clip);

}  // namespace framefold

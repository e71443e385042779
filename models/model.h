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
  bool restores = false;            // follows the data: the loss compares with the input "target",
                                    // u8 like "clip", in place of what the model is fed

  // Masked video transformers
  std::string size;                  // ti, s, b, l, h; empty: the six numbers below say it
  Index width = 0, depth = 0;        // of the encoder; 0: the size's
  Index heads = 0;                   //
  Index decoder_width = 0;           //
  Index decoder_depth = 0;           //
  Index decoder_heads = 0;           //
  double mlp_ratio = 4;              // hidden units of a block, times its width
  Index tubelet = 2, patch = 16;     // frames and side of a token's pixels
  std::string positions = "sincos";  // sincos, learned
  std::string mask = "tube";         // tube, random, frame
  double mask_ratio = 0.9;
  std::string target = "raw";   // raw, normalized: each tubelet by its own mean and deviation
  bool encoder_norm = true;     // of encode()'s tokens; false where a norm follows their mean
  std::string input = "unit";   // unit: pixels in 0 to 1, imagenet: by ImageNet's statistics
  double drop_path = 0;         // of the last block; the first has none
  double norm_epsilon = 1e-6;   // of all layer norms but the last
  double final_epsilon = 1e-6;  // of the norm before the decoder's head
};

// What a model added to a graph. `clip` is the input "clip", u8 [B, T, H, W, C].
struct Autoencoder {
  Value clip;
  Value target;  // what the loss compares with: `clip`, or the input "target"
  Value code;
  Value reconstruction;  // f32 [B, T, H, W, C], 0 black to 1 white; may pass both a little
  Value loss;            // f32 [1], the mean over elements
  Value masked_clip;     // masked models, to evaluate: as reconstruction, grey where not seen
  std::string caveat;    // what a picture of the reconstruction must be read with; mostly empty
};

struct ModelInfo {
  std::string_view name;
  std::string_view summary;  // one sentence with the source
  Autoencoder (*build)(Graph& graph, const ModelOptions& options, Index batch);
  // The encoder alone: clip u8 [B, T, H, W, C] -> tokens [B, N, C]. Its parameters are named as in
  // the autoencoder, "encoder. ...", so that either takes the other's weights.
  Value (*encode)(Graph& graph, const ModelOptions& options, Value clip);
  bool layered = true;  // reads widths, which must then be given
};
std::span<const ModelInfo> models();

// Error(config) for an unknown name, with the nearest known one, and for options out of range.
Autoencoder build_model(Graph& graph, const ModelOptions& options, Index batch);
Value encode(Graph& graph, const ModelOptions& options, Value clip);

}  // namespace framefold

// Blocks of a vision transformer (Dosovitskiy et al. 2021), normalised before each half.
#pragma once

#include <string>

#include "engine/ops.h"

namespace framefold::layers {

// Owns gamma and beta [C].
Value layer_norm(Graph& g, const std::string& name, Value x, double epsilon);

struct Block {
  Index heads = 1;
  Index hidden = 0;
  double epsilon = 1e-6;
  double drop_path = 0;
};

// x + attention(norm1 x), then x + fc2 gelu(fc1 norm2 x); x [B, N, C]. Owns norm1, attn.qkv.weight
// [C, 3 C], attn.q_bias, attn.v_bias, attn.proj, norm2, mlp.fc1 and mlp.fc2. Keys have no bias: a
// softmax does not see one (Bao et al. 2022).
Value block(Graph& g, const std::string& name, Value x, const Block& block);

// name.0 to name.(depth - 1), each a block of the graph; the path's rate grows from 0 to
// block.drop_path.
Value blocks(Graph& g, const std::string& name, Value x, Index depth, Block block);

}  // namespace framefold::layers

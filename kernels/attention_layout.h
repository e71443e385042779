// Attention as a library with dimensions [B, H, N, d] and strides describes it. Queries, keys and
// values stand in one tensor, d fastest: the key and the value of a token are H d and 2 H d
// elements behind its query. The library's statistics [B, H, N, 1] are our lse.
#pragma once

#include <vector>

#include "kernels/attention.h"

namespace framefold {

struct LibraryAttention {
  std::vector<Index> extents;                 // [B, H, N, d]
  std::vector<Index> packed, plain;           // strides of q, k, v and their gradients; of y and dy
  std::vector<Index> statistics, row_stride;  // extents and strides of what is one for each row
  Index key, value;                           // elements behind q
  float scale;
};

inline LibraryAttention library_attention(const AttentionShape& s) {
  return {.extents = {s.batch, s.heads, s.tokens, s.depth},
          .packed = {s.tokens * s.row, s.depth, s.row, 1},
          .plain = {s.tokens * s.out_row, s.depth, s.out_row, 1},
          .statistics = {s.batch, s.heads, s.tokens, 1},
          .row_stride = {s.heads * s.tokens, s.tokens, 1, 1},
          .key = s.key(0, 0),
          .value = s.value(0, 0),
          .scale = static_cast<float>(s.scale)};
}

// What the library is asked for at all; its engines may have nothing for a shape yet. It has no
// f32. Heads of 16 bytes' multiples keep q, k and v aligned.
inline bool library_supports(const AttentionShape& s, DType type) {
  return type == DType::bf16 && s.depth > 0 && s.depth % 8 == 0;
}

}  // namespace framefold

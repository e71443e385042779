// Scaled dot-product attention of several heads, on queries, keys and values as one product writes
// them (Vaswani et al. 2017, section 3.2).
//
//   s[i, j] = scale q[i] . k[j]     p[i, :] = softmax of s[i, :]     y[i] = sum over j p[i, j] v[j]
//
//   qkv, dqkv   [B, N, 3 H d]   f32, bf16 or f64: [B, N, 3, H, d], for each token its queries, keys
//                               and values, each head by head
//   y, dy       [B, N, H d]     as qkv, head by head
//   lse         [B, H, N]       f32 (f64), log of the sum over j of e^s[i, j]; written by forward
//   lengths     [B]             i32, 0 to N, checked in forward; without data: N
//
// j runs over the sample's first `length` tokens, where causal up to i. Tokens past the length get
// y = 0, lse = 0 and gradients 0, whatever their qkv and dy hold.
//
//   ds[i, j] = p[i, j] (dy[i] . v[j] - dy[i] . y[i])      dv[j] = sum over i p[i, j] dy[i]
//   dq[i] = scale sum over j ds[i, j] k[j]                dk[j] = scale sum over i ds[i, j] q[i]
//
// Backward reads qkv, y, lse, lengths and dy; dqkv is written (=). No path keeps s or p: forward
// rescales its sums as the maximum grows (Milakov and Gimelshein 2018), backward computes p again
// from lse (Dao et al. 2022). Any B, N, H and d. Forward is the same for any number of threads,
// backward for a given number.
//
// The floor: 4 B H N^2 d operations forward and 10 backward (half of them where causal) over the
// peak of the arithmetic; memory is far from it.
#pragma once

#include "kernels/stream.h"

namespace framefold {

struct Attention {
  Index heads = 1;
  bool causal = false;
  double scale = 0;  // 0: d^-1/2
};

void attention_forward(const Stream& stream, const Attention& attention, Tensor y, Tensor lse,
                       Workspace workspace, View qkv, View lengths);
Bytes attention_forward_workspace(const Stream& stream, const Attention& attention,
                                  const TensorType& qkv, bool lengths);
void attention_dgrad(const Stream& stream, const Attention& attention, Tensor dqkv,
                     Workspace workspace, View dy, View qkv, View y, View lse, View lengths);
Bytes attention_dgrad_workspace(const Stream& stream, const Attention& attention,
                                const TensorType& qkv, bool lengths);

// Whether the device's vendor has a path for it, forward at least.
bool attention_has_vendor(const Stream& stream, const Attention& attention, const TensorType& qkv,
                          bool lengths);

// Extents and strides that the paths share.
struct AttentionShape {
  Index batch, tokens, heads, depth;
  Index row, out_row;  // elements from one token to the next, of qkv and of y
  double scale;

  AttentionShape(const Attention& attention, const Shape& qkv);
  constexpr Index query(Index b, Index h) const { return b * tokens * row + h * depth; }
  constexpr Index key(Index b, Index h) const { return query(b, h) + heads * depth; }
  constexpr Index value(Index b, Index h) const { return query(b, h) + 2 * heads * depth; }
  constexpr Index out(Index b, Index h) const { return b * tokens * out_row + h * depth; }
};

inline Index length_of(View lengths, Index b, Index tokens) {
  return lengths ? Index{lengths.as<std::int32_t>()[b]} : tokens;
}

// The fast path, f32 and bf16: false where the operands are not for it.
namespace fast {
bool attention_forward(const Stream& stream, const Attention& attention, Tensor y, Tensor lse,
                       Workspace workspace, View qkv, View lengths);
Bytes attention_forward_workspace(const Stream& stream, const Attention& attention,
                                  const TensorType& qkv);
bool attention_dgrad(const Stream& stream, const Attention& attention, Tensor dqkv,
                     Workspace workspace, View dy, View qkv, View y, View lse, View lengths);
Bytes attention_dgrad_workspace(const Stream& stream, const Attention& attention,
                                const TensorType& qkv);
}  // namespace fast

}  // namespace framefold

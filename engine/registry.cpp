#include <array>

#include "engine/op.h"

namespace framefold {

std::span<const OpInfo> registered_ops() {
  static constexpr auto ops = std::to_array<OpInfo>({
      {"activation", "ReLU, leaky ReLU, sigmoid, tanh, GELU or SiLU"},
      {"activity_penalty", "L1, L2 or sparsity penalty on a code"},
      {"add", "sum of two tensors, or of one and a bias or table that repeats"},
      {"add_rows", "rows of a table added by number, a token for rows that are not there"},
      {"attention",
       "scaled dot-product attention of several heads on packed queries, keys, values"},
      {"batch_norm", "batch normalisation over all axes but the last"},
      {"concat", "tensors one after the other along an axis"},
      {"conv3d", "3-D convolution with bias and activation; 2-D is T = 1"},
      {"conv_transpose3d", "transposed 3-D convolution with bias and activation"},
      {"cross_entropy", "cross-entropy of a softmax with soft targets"},
      {"dropout", "random zeros while training, the rest scaled up"},
      {"fold_tubelets", "predicted tubelets put back into their clip, to look at"},
      {"gather_rows", "rows picked by number, sample by sample"},
      {"gather_tubelets", "chosen tubelets of a clip of pixels, normalised by channel"},
      {"gaussian_kl", "divergence of diagonal Gaussians from the standard one"},
      {"group_norm", "group normalisation: each sample's groups of channels"},
      {"layer_norm", "layer normalisation over the last axis"},
      {"lstm", "long short-term memory over a sequence, with or without peepholes"},
      {"matmul", "matrix product, batched or by a weight, with bias and activation"},
      {"max_pool3d", "maxima of windows in time and space"},
      {"mean_pool3d", "means of windows in time and space"},
      {"multiply", "product of two tensors, element by element"},
      {"noise", "Gaussian noise while training, clipped"},
      {"permute", "axes in another order"},
      {"pixels", "u8 pixels as numbers, normalised by channel"},
      {"pointwise_loss", "mean squared error, L1, Huber loss, or binary cross-entropy with logits"},
      {"reduce", "sum or mean over chosen axes"},
      {"reshape", "the same elements in another shape"},
      {"scale", "a x + b with two numbers"},
      {"scatter_rows", "rows put to their places, a token everywhere else"},
      {"slice", "a part of one axis"},
      {"softmax", "softmax over the last axis"},
      {"tube_mask", "which tokens of a clip are seen: tubes, single tokens or frames, at random"},
      {"tubelet_mse", "mean squared error against a clip's tubelets, each normalised by itself"},
      {"upsample3d", "resampling in time and space, nearest or trilinear"},
  });
  return ops;
}

}  // namespace framefold

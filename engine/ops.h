// The operations as functions on a graph: what models are built from. The contracts (shapes,
// formulas, sources) stand in the kernels' headers of the same names.
#pragma once

#include "engine/graph.h"
#include "kernels/activation.h"
#include "kernels/activity_penalty.h"
#include "kernels/attention.h"
#include "kernels/batch_norm.h"
#include "kernels/conv_transpose3d.h"
#include "kernels/group_norm.h"
#include "kernels/layer_norm.h"
#include "kernels/lstm.h"
#include "kernels/matmul.h"
#include "kernels/noise.h"
#include "kernels/pixels.h"
#include "kernels/pool3d.h"
#include "kernels/reduce.h"
#include "kernels/tube_mask.h"
#include "kernels/tubelet_mse.h"
#include "kernels/upsample3d.h"

namespace framefold {

// Shape
// Without masked and token x and index alone.
Value add_rows(Graph& g, Value x, Value table, Value index, Value masked = {}, Value token = {});
Value concat(Graph& g, const std::vector<Value>& x, int axis);
Value gather_rows(Graph& g, Value x, Value index);
Value permute(Graph& g, Value x, const std::vector<int>& axes);
Value reduce(Graph& g, Value x, Reduction kind, std::vector<int> axes = {});  // none given: all
Value reshape(Graph& g, Value x, const Shape& shape);
// Where no row goes stands `token`, or zeros.
Value scatter_rows(Graph& g, Value x, Value index, Index rows, Value token = {});
Value slice(Graph& g, Value x, int axis, Index begin, Index end);

// Products. A linear layer: x [..., K], weight [K, N], bias [N] or Value{} for none.
Value matmul(Graph& g, Value a, Value b, MatMul matmul = {});
Value linear(Graph& g, Value x, Value weight, Value bias = {},
             Activation activation = Activation::none);

// Of qkv [B, N, 3 H d] and lengths [B] or Value{} for none: [B, N, H d].
Value attention(Graph& g, Value qkv, const Attention& attention, Value lengths = {});

// Recurrence over x [B, T, I]; state Value{} is zero. h [B, T, H], the last state [B, H].
struct LstmWeights {
  Value wx, wh, bias, peepholes = {};
};
struct LstmState {
  Value h, c;
};
struct LstmSequence {
  Value h;
  LstmState last;
};
LstmSequence lstm(Graph& g, Value x, const LstmWeights& weights, LstmState start = {},
                  Value lengths = {});

// Pointwise
Value activation(Graph& g, Value x, Activation activation);
Value add(Graph& g, Value x, Value b);           // b as x, or a parameter with x's last axes
Value dropout(Graph& g, Value x, float rate);    // x itself in a graph for evaluation
Value drop_path(Graph& g, Value x, float rate);  // dropout of whole samples
Value multiply(Graph& g, Value a, Value b);
Value noise(Graph& g, Value x, Noise noise);  // x itself in a graph for evaluation
Value pixels(Graph& g, Value x, Pixels pixels = {}, DType type = DType::f32);
Value scale(Graph& g, Value x, double a, double b = 0);  // a x + b

// Masked video. Tokens are a clip's tubelets [t, h, w] in its order; an index Value{} stands for
// all.
struct MaskedTokens {
  Value visible, masked;  // i32 [B, N_visible], [B, N_masked]
};
MaskedTokens tube_mask(Graph& g, Index batch, const TubeMask& mask, Value samples = {});
Value gather_tubelets(Graph& g, Value clip, Value index, const Extents& tubelet, Pixels pixels = {},
                      DType type = DType::f32);
// The clip with x, or grey, at the tokens of index; f32.
Value fold_tubelets(Graph& g, Value x, Value clip, Value index, const TubeletMse& target = {});

// Convolutions: x [B, T, H, W, C], weight [kT, kH, kW, C / groups, O] (transposed: [kT, kH, kW,
// O / groups, C]), bias [O] or Value{} for none.
Value conv3d(Graph& g, Value x, Value weight, Value bias = {}, const Conv3d& conv = {});
Value conv_transpose3d(Graph& g, Value x, Value weight, Value bias = {},
                       const ConvTranspose3d& conv = {});

// Normalisation. Batch statistics and their running means in a graph for training, the running
// means in one for evaluation.
Value batch_norm(Graph& g, Value x, Value gamma, Value beta, Value running_mean, Value running_var,
                 BatchNorm norm = {});
Value group_norm(Graph& g, Value x, Value gamma, Value beta, GroupNorm norm);
Value layer_norm(Graph& g, Value x, Value gamma, Value beta, LayerNorm norm = {});
// What a plan makes of an addition and the layer norm after it.
struct NormalizedSum {
  Value sum, y;
};
NormalizedSum layer_norm_of_sum(Graph& g, Value x, Value b, Value gamma, Value beta,
                                LayerNorm norm = {});
Value softmax(Graph& g, Value x);

// Losses, scalars f32 [1]. Targets are as x, or pixels (u8, which stand for fractions of 255).
Value mse(Graph& g, Value x, Value target, LossReduction reduction = LossReduction::mean);
Value l1(Graph& g, Value x, Value target, LossReduction reduction = LossReduction::mean);
Value huber(Graph& g, Value x, Value target, float delta = 1,
            LossReduction reduction = LossReduction::mean);
Value bce_with_logits(Graph& g, Value x, Value target,
                      LossReduction reduction = LossReduction::mean);
Value cross_entropy(Graph& g, Value x, Value target);  // over the last axis
Value tubelet_mse(Graph& g, Value x, Value clip, Value index, const TubeletMse& mse = {});
Value gaussian_kl(Graph& g, Value mu, Value logvar,
                  LossReduction reduction = LossReduction::batch_mean);
Value activity_penalty(Graph& g, Value x, ActivityPenalty penalty);

// Pooling and sampling
Value max_pool3d(Graph& g, Value x, const Pool3d& pool);
Value mean_pool3d(Graph& g, Value x, const Pool3d& pool);
Value upsample3d(Graph& g, Value x, const Extents& size, Upsampling kind);

}  // namespace framefold

// A classifier on a model's encoder, for fine-tuning and, frozen, for probes.
//
//   clip           u8   [B, T, H, W, C]   input "clip"
//   labels         f32  [B, K]            input "labels"; each row a distribution over the classes
//   features       f32  [B, F]            the pooled tokens, before the head
//   probabilities  f32  [B, K]
//   loss           f32  [1]               cross-entropy of labels and head(dropout(features))
//
// Pooling of tokens x [B, N, C]:
//   linear, mean   layer norm of their mean                       (Tong et al. 2022)
//   linear, flat   layer norm of all side by side, F = N C
//   attentive      sum over n of softmax_n(x q_h) x v_h for each head h of at most 64 channels,
//                  then a layer norm: cross-attention of one learnt query a head, whose product
//                  with the keys' weight is the one matrix q (after Chen et al. 2024)
//
// Weights beside the encoder's: fc_norm.gamma, beta [F]; head.weight [F, K], head.bias [K];
// attentive: pool.query.weight [C, heads], pool.value.weight [C, C], pool.value.bias [C].
#pragma once

#include "models/model.h"

namespace framefold {

struct ClassifierOptions {
  Index classes = 0;
  std::string head = "linear";  // linear, attentive
  std::string pool = "mean";    // linear: mean, flat
  bool freeze = false;          // the encoder keeps its weights
  double dropout = 0;           // before the head
};

struct Classifier {
  Value clip, labels, features, probabilities, loss;
};

Classifier build_classifier(Graph& graph, const ModelOptions& model,
                            const ClassifierOptions& options, Index batch);

// The mean of tokens [B, N, C]: [B, C].
Value mean_of_tokens(Graph& graph, Value tokens);

// Softmax regression on stored rows: inputs "x" f32 [R, F] and "labels" f32 [R, K], weights
// "weight" and "bias" from zeros.
struct Regression {
  Value logits, loss;
};
Regression softmax_regression(Graph& graph, Index rows, Index numbers, Index classes);

}  // namespace framefold

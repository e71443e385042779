#include "models/classifier.h"

#include "engine/freeze.h"
#include "models/layers.h"
#include "models/transformer.h"

namespace framefold {
namespace {

constexpr Index head_width = 64;

// [B, N, C] -> [B, C]
Value attended(Graph& g, Value tokens) {
  const Shape shape = g.shape(tokens);
  const Index batch = shape[0], count = shape[1], width = shape[2];
  const Index heads = width % head_width == 0 ? width / head_width : 1;
  const Value query = g.parameter("pool.query.weight", {width, heads}, Init::normal(0.02));
  const Value weights = softmax(g, permute(g, linear(g, tokens, query), {0, 2, 1}));
  Value values = layers::dense(g, "pool.value", tokens, width);
  values = permute(g, reshape(g, values, {batch, count, heads, width / heads}), {0, 2, 1, 3});
  return reshape(g, matmul(g, reshape(g, weights, {batch, heads, 1, count}), values),
                 {batch, width});
}

Value pooled(Graph& g, Value tokens, const ClassifierOptions& options) {
  const Shape shape = g.shape(tokens);
  if (options.head == "attentive") return attended(g, tokens);
  if (options.pool == "flat") return reshape(g, tokens, {shape[0], shape[1] * shape[2]});
  return mean_of_tokens(g, tokens);
}

}  // namespace

Classifier build_classifier(Graph& g, const ModelOptions& model, const ClassifierOptions& options,
                            Index batch) {
  if (batch < 1) fail(ErrorCode::config, "a batch of ", batch, " clips; it takes at least 1");
  if (options.classes < 2)
    fail(ErrorCode::config, "task.classes is ", options.classes,
         "; a classifier takes at least 2: give labelled data, or their number");
  Classifier made;
  made.clip = layers::clip_input(g, model.clip, batch);
  made.labels = g.input("labels", {DType::f32, {batch, options.classes}});
  ModelOptions encoder = model;
  if (options.freeze) encoder.drop_path = 0;  // features as in evaluation
  const Value tokens = encode(g, encoder, made.clip);
  made.features = layers::layer_norm(g, "fc_norm", pooled(g, tokens, options), model.final_epsilon);
  const Value x = dropout(g, made.features, static_cast<float>(options.dropout));
  const Index width = g.shape(x)[-1];
  // As published: drawn with deviation 0.02, then a thousandth of it.
  const Value weight =
      g.parameter("head.weight", {width, options.classes}, Init::truncated_normal(0.02 * 0.001));
  const Value bias = g.parameter("head.bias", {options.classes}, Init::zeros(), false);
  const Value logits = linear(g, x, weight, bias);
  made.probabilities = softmax(g, logits);
  made.loss = cross_entropy(g, logits, made.labels);
  if (options.freeze) g = frozen(g, "encoder.");
  return made;
}

Value mean_of_tokens(Graph& g, Value tokens) { return reduce(g, tokens, Reduction::mean, {1}); }

Regression softmax_regression(Graph& g, Index rows, Index numbers, Index classes) {
  const Value x = g.input("x", {DType::f32, {rows, numbers}});
  const Value labels = g.input("labels", {DType::f32, {rows, classes}});
  const Value logits = linear(g, x, g.parameter("weight", {numbers, classes}, Init::zeros()),
                              g.parameter("bias", {classes}, Init::zeros(), false));
  return {logits, cross_entropy(g, logits, labels)};
}

}  // namespace framefold

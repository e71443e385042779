#include "models/transformer.h"

#include "models/layers.h"

namespace framefold::layers {
namespace {

Value attend(Graph& g, Value x, Index heads) {
  const Graph::Scope scope(g, "attn");
  const Index width = g.shape(x)[-1];
  const Value weight =
      g.parameter("qkv.weight", {width, 3 * width}, Init::glorot(width, 3 * width));
  const Value q = g.parameter("q_bias", {width}, Init::zeros(), false);
  const Value v = g.parameter("v_bias", {width}, Init::zeros(), false);
  const Value k = g.constant("k_bias", {width}, Init::zeros());
  const Value qkv = linear(g, x, weight, concat(g, {q, k, v}, 0));
  return dense(g, "proj", attention(g, qkv, {.heads = heads}), width);
}

}  // namespace

Value layer_norm(Graph& g, const std::string& name, Value x, double epsilon) {
  const Graph::Scope scope(g, name);
  const Index width = g.shape(x)[-1];
  const Value gamma = g.parameter("gamma", {width}, Init::ones(), false);
  const Value beta = g.parameter("beta", {width}, Init::zeros(), false);
  return framefold::layer_norm(g, x, gamma, beta, {.eps = static_cast<float>(epsilon)});
}

Value block(Graph& g, const std::string& name, Value x, const Block& block) {
  const Graph::Scope scope(g, name);
  const auto rate = static_cast<float>(block.drop_path);
  const Value attended = attend(g, layer_norm(g, "norm1", x, block.epsilon), block.heads);
  x = add(g, x, drop_path(g, attended, rate));
  Value y = dense(g, "mlp.fc1", layer_norm(g, "norm2", x, block.epsilon), block.hidden);
  y = dense(g, "mlp.fc2", activation(g, y, Activation::gelu_erf), g.shape(x)[-1]);
  return add(g, x, drop_path(g, y, rate));
}

Value blocks(Graph& g, const std::string& name, Value x, Index depth, Block each) {
  const double rate = each.drop_path;
  for (Index i = 0; i < depth; ++i) {
    const Graph::Block again(g);
    each.drop_path = depth > 1 ? rate * static_cast<double>(i) / static_cast<double>(depth - 1) : 0;
    x = block(g, text(name, '.', i), x, each);
  }
  return x;
}

}  // namespace framefold::layers

#include "models/layers.h"

#include <array>
#include <string_view>

#include "kernels/nearest.h"

namespace framefold::layers {
namespace {

Init weights_for(Activation activation, Index fan_in, Index fan_out) {
  const bool rectifier =
      activation.kind == Activation::relu || activation.kind == Activation::leaky_relu;
  return rectifier ? Init::he(fan_in) : Init::glorot(fan_in, fan_out);
}

template <class Known>
void check_name(const char* key, const std::string& name, const Known& known) {
  for (const std::string_view candidate : known)
    if (candidate == name) return;
  fail(ErrorCode::config, key, " = \"", name, "\" is unknown; did you mean \"",
       nearest(name, known), "\"?");
}

constexpr std::array<std::string_view, 4> losses{"mse", "l1", "huber", "bce"};
constexpr std::array<std::string_view, 4> activations{"relu", "leaky_relu", "sigmoid", "tanh"};

}  // namespace

Value dense(Graph& g, const std::string& name, Value x, Index units, Activation activation) {
  const Graph::Scope scope(g, name);
  const Index fan_in = g.shape(x)[-1];
  const Value weight =
      g.parameter("weight", {fan_in, units}, weights_for(activation, fan_in, units));
  const Value bias = g.parameter("bias", {units}, Init::zeros(), false);
  return linear(g, x, weight, bias, activation);
}

Value conv(Graph& g, const std::string& name, Value x, Index channels, Extents kernel,
           Conv3d attributes) {
  const Graph::Scope scope(g, name);
  const Index taps = kernel[0] * kernel[1] * kernel[2];
  const Index c = g.shape(x)[-1];
  const Value weight = g.parameter("weight", {kernel[0], kernel[1], kernel[2], c, channels},
                                   weights_for(attributes.activation, taps * c, taps * channels));
  const Value bias = g.parameter("bias", {channels}, Init::zeros(), false);
  return conv3d(g, x, weight, bias, attributes);
}

Value conv_transpose(Graph& g, const std::string& name, Value x, Index channels, Extents kernel,
                     ConvTranspose3d attributes) {
  const Graph::Scope scope(g, name);
  // Of all taps, every output position meets one in each stride's volume.
  const Index taps = kernel[0] * kernel[1] * kernel[2];
  const Index met = std::max<Index>(
      1, taps / (attributes.stride[0] * attributes.stride[1] * attributes.stride[2]));
  const Index c = g.shape(x)[-1];
  const Value weight = g.parameter("weight", {kernel[0], kernel[1], kernel[2], channels, c},
                                   weights_for(attributes.activation, met * c, met * channels));
  const Value bias = g.parameter("bias", {channels}, Init::zeros(), false);
  return conv_transpose3d(g, x, weight, bias, attributes);
}

Value norm_silu(Graph& g, const std::string& name, Value x) {
  const Graph::Scope scope(g, name);
  const Index channels = g.shape(x)[-1];
  Index groups = std::max<Index>(1, channels / 8);
  while (channels % groups != 0) --groups;
  const Value gamma = g.parameter("gamma", {channels}, Init::ones(), false);
  const Value beta = g.parameter("beta", {channels}, Init::zeros(), false);
  return group_norm(g, x, gamma, beta, {.groups = groups, .silu = true});
}

Value clip_input(Graph& g, const ClipShape& shape, Index batch) {
  return g.input("clip",
                 {DType::u8, {batch, shape.frames, shape.height, shape.width, shape.channels}});
}

Value tokens(Graph& g, Value code) {
  const Shape& shape = g.shape(code);
  return reshape(g, code, {shape[0], shape.size() / (shape[0] * shape[-1]), shape[-1]});
}

Extents stride_of(const ModelOptions& options, std::size_t level) {
  return {static_cast<Index>(level) < options.spatial_levels ? 1 : 2, 2, 2};
}

void check_divisible(const ModelOptions& options) {
  const ClipShape& clip = options.clip;
  const auto levels = static_cast<Index>(options.widths.size());
  const Index space = Index{1} << levels;
  const Index time = Index{1} << (levels - options.spatial_levels);
  if (clip.frames % time == 0 && clip.height % space == 0 && clip.width % space == 0) return;
  fail(ErrorCode::config, "model ", options.name, ": clips of ", clip.frames, " x ", clip.height,
       " x ", clip.width, " do not fit ", levels, " levels, ", options.spatial_levels,
       " of them spatial; choose frames divisible by ", time, ", height and width by ", space,
       ", or fewer widths");
}

Inputs inputs(Graph& g, const ModelOptions& options, Index batch) {
  const Value clip = clip_input(g, options.clip, batch);
  return {clip, options.restores ? g.input("target", g.type(clip)) : clip};
}

Ending compare(Graph& g, Value prediction, Value clip, const std::string& loss) {
  const Value shaped = reshape(g, prediction, g.shape(clip));
  if (loss == "bce")
    return {activation(g, shaped, Activation::sigmoid), bce_with_logits(g, shaped, clip)};
  if (loss == "l1") return {shaped, l1(g, shaped, clip)};
  if (loss == "huber") return {shaped, huber(g, shaped, clip)};
  check_loss_name(loss);
  return {shaped, mse(g, shaped, clip)};
}

Activation activation_named(const std::string& name) {
  check_name("model.activation", name, activations);
  if (name == "relu") return Activation::relu;
  if (name == "leaky_relu") return Activation::leaky_relu;
  if (name == "sigmoid") return Activation::sigmoid;
  return Activation::tanh;
}

void check_loss_name(const std::string& name) { check_name("model.loss", name, losses); }

}  // namespace framefold::layers

#include "models/videomae.h"

#include <array>
#include <cmath>

#include "engine/ops.h"
#include "models/layers.h"
#include "models/transformer.h"

namespace framefold {
namespace {

struct Size {
  const char* name;
  Index width, depth, heads, decoder_width, decoder_depth, decoder_heads;
};

// Tong et al. 2022, table 8 and the code's; ti, with a decoder for processors, is ours.
constexpr std::array sizes = {
    Size{"ti", 192, 12, 3, 96, 2, 3},    Size{"s", 384, 12, 6, 192, 4, 3},
    Size{"b", 768, 12, 12, 384, 4, 6},   Size{"l", 1024, 24, 16, 512, 12, 8},
    Size{"h", 1280, 32, 16, 640, 12, 8},
};

template <class... Parts>
[[noreturn]] void wrong(const Parts&... parts) {
  fail(ErrorCode::config, "model videomae: ", parts...);
}

Index expect_choice(const char* key, const std::string& given,
                    std::initializer_list<const char*> known) {
  Index number = 0;
  std::string list;
  for (const char* name : known) {
    if (given == name) return number;
    list += (number++ == 0 ? "" : ", ") + std::string(name);
  }
  wrong("model.", key, " is \"", given, "\", expected one of ", list);
}

Extents tubelet_of(const ModelOptions& options) {
  return {options.tubelet, options.patch, options.patch};
}

Index hidden(const ModelOptions& options, Index width) {
  return static_cast<Index>(std::llround(options.mlp_ratio * static_cast<double>(width)));
}

Value positions(Graph& g, const std::string& name, Index tokens, Index width) {
  return g.constant(name, {tokens, width}, Init::sin_cos(width));
}

// The tokens of the tubelets in `index`, Value{} for all.
Value embedded(Graph& g, const ModelOptions& options, Value clip, Value index) {
  const Index tokens = videomae_mask(options).tokens();
  Pixels pixels;
  if (options.input == "imagenet")
    pixels = {.mean = {0.485F, 0.456F, 0.406F}, .deviation = {0.229F, 0.224F, 0.225F}};
  const Value x = gather_tubelets(g, clip, index, tubelet_of(options), pixels);
  const Index features = g.shape(x)[-1];
  const Init init = Init::uniform(1 / std::sqrt(static_cast<double>(features)));
  const Graph::Scope scope(g, "encoder");
  const Value weight = g.parameter("patch_embed.weight", {features, options.width}, init);
  const Value bias = g.parameter("patch_embed.bias", {options.width}, init, false);
  const Value y = linear(g, x, weight, bias);
  const Value table =
      options.positions == "learned"
          ? g.parameter("positions", {tokens, options.width}, Init::truncated_normal(0.02), false)
          : positions(g, "positions", tokens, options.width);
  return index ? add_rows(g, y, table, index) : add(g, y, table);
}

Value encoded(Graph& g, const ModelOptions& options, Value clip, Value index) {
  return layers::blocks(g, "encoder.blocks", embedded(g, options, clip, index), options.depth,
                        {.heads = options.heads,
                         .hidden = hidden(options, options.width),
                         .epsilon = options.norm_epsilon,
                         .drop_path = options.drop_path});
}

}  // namespace

ModelOptions videomae_options(ModelOptions options) {
  if (!options.size.empty()) {
    const Index number = expect_choice("size", options.size, {"ti", "s", "b", "l", "h"});
    const Size& size = sizes[static_cast<std::size_t>(number)];
    const auto fill = [](Index& option, Index value) { option = option == 0 ? value : option; };
    fill(options.width, size.width);
    fill(options.depth, size.depth);
    fill(options.heads, size.heads);
    fill(options.decoder_width, size.decoder_width);
    fill(options.decoder_depth, size.decoder_depth);
    fill(options.decoder_heads, size.decoder_heads);
  }
  const ModelOptions& o = options;
  for (const Index number : {o.width, o.depth, o.heads, o.decoder_width, o.decoder_depth,
                             o.decoder_heads, o.tubelet, o.patch})
    if (number < 1)
      wrong("width, depth, heads, decoder_width, decoder_depth, decoder_heads, tubelet and patch ",
            "are at least 1; give model.size (ti, s, b, l, h) or all of them");
  if (o.width % o.heads != 0)
    wrong("model.heads is ", o.heads, ", expected a divisor of the width ", o.width);
  if (o.decoder_width % o.decoder_heads != 0)
    wrong("model.decoder_heads is ", o.decoder_heads,
          ", expected a divisor of the decoder's width ", o.decoder_width);
  const ClipShape& clip = o.clip;
  if (clip.frames % o.tubelet != 0 || clip.height % o.patch != 0 || clip.width % o.patch != 0)
    wrong("clips of ", clip.frames, " x ", clip.height, " x ", clip.width,
          " are no whole tubelets of ", o.tubelet, " x ", o.patch, " x ", o.patch,
          "; change data.frames, data.height and data.width, or model.tubelet and model.patch");
  expect_choice("positions", o.positions, {"sincos", "learned"});
  expect_choice("mask", o.mask, {"tube", "random", "frame"});
  expect_choice("target", o.target, {"raw", "normalized"});
  expect_choice("input", o.input, {"unit", "imagenet"});
  if (o.input == "imagenet" && clip.channels != 3)
    wrong("model.input = \"imagenet\" is for 3 channels, data.channels is ", clip.channels,
          "; choose \"unit\"");
  if (!(o.mlp_ratio > 0) || hidden(o, std::min(o.width, o.decoder_width)) < 1)
    wrong("model.mlp_ratio is ", o.mlp_ratio, ", which leaves no hidden unit");
  if (!(o.drop_path >= 0 && o.drop_path < 1))
    wrong("model.drop_path is ", o.drop_path, ", expected at least 0 and below 1");
  if (!(o.norm_epsilon > 0 && o.final_epsilon > 0))
    wrong("model.norm_epsilon and model.final_epsilon are above 0");
  if (!(o.mask_ratio >= 0 && o.mask_ratio < 1))
    wrong("model.mask_ratio is ", o.mask_ratio, ", expected at least 0 and below 1");
  return options;
}

TubeMask videomae_mask(const ModelOptions& options) {
  const ClipShape& clip = options.clip;
  TubeMask mask{.grid = {clip.frames / options.tubelet, clip.height / options.patch,
                         clip.width / options.patch},
                .ratio = options.mask_ratio};
  mask.kind = options.mask == "tube"     ? TubeMask::tube
              : options.mask == "random" ? TubeMask::random
                                         : TubeMask::frame;
  return mask;
}

Value normalised(Graph& g, const ModelOptions& options, Value tokens) {
  if (!options.encoder_norm) return tokens;
  return layers::layer_norm(g, "encoder.norm", tokens, options.norm_epsilon);
}

TubeletMse videomae_target(const ModelOptions& options) {
  return {.tubelet = tubelet_of(options), .normalize = options.target == "normalized"};
}

MaskedVideo videomae_masked(Graph& g, const ModelOptions& options, Value clip,
                            const MaskedTokens& tokens) {
  const Index visible = g.shape(tokens.visible)[1];
  const Index all = visible + g.shape(tokens.masked)[1];
  const Index width = options.decoder_width;
  MaskedVideo made;
  made.encoded = normalised(g, options, encoded(g, options, clip, tokens.visible));
  Value x = linear(g, made.encoded,
                   g.parameter("encoder_to_decoder.weight", {options.width, width},
                               Init::glorot(options.width, width)));
  const Value token =
      g.parameter("mask_token", {width}, Init::truncated_normal(0.02, /*cut=*/1), false);
  x = add_rows(g, x, positions(g, "decoder.positions", all, width), tokens.visible, tokens.masked,
               token);
  x = layers::blocks(g, "decoder.blocks", x, options.decoder_depth,
                     {.heads = options.decoder_heads,
                      .hidden = hidden(options, width),
                      .epsilon = options.norm_epsilon,
                      .drop_path = options.drop_path});
  x = layers::layer_norm(g, "decoder.norm", slice(g, x, 1, visible, all), options.final_epsilon);
  const Index features = options.tubelet * options.patch * options.patch * options.clip.channels;
  made.predicted = layers::dense(g, "decoder.head", x, features);
  made.loss = tubelet_mse(g, made.predicted, clip, tokens.masked, videomae_target(options));
  return made;
}

Autoencoder videomae(Graph& g, const ModelOptions& given, Index batch) {
  const ModelOptions options = videomae_options(given);
  if (options.restores)
    wrong(
        "learns from hidden parts of what it is fed and takes no other target; leave out corrupt");
  const TubeMask mask = videomae_mask(options);
  if (mask.masked() == 0)
    wrong("model.mask_ratio is ", options.mask_ratio, ", which masks none of ", mask.cells(),
          options.mask == "frame" ? " slots" : " places",
          "; make it larger, or clips of more tubelets");
  const Value clip = layers::clip_input(g, options.clip, batch);
  const MaskedTokens tokens = tube_mask(g, batch, mask);
  const MaskedVideo made = videomae_masked(g, options, clip, tokens);
  const TubeletMse target = videomae_target(options);
  Autoencoder model{.clip = clip,
                    .target = clip,
                    .code = made.encoded,
                    .reconstruction = fold_tubelets(g, made.predicted, clip, tokens.masked, target),
                    .loss = made.loss,
                    .masked_clip = fold_tubelets(g, {}, clip, tokens.masked, target)};
  if (target.normalize)
    model.caveat =
        "Predictions are of normalised tubelets: each is shown with the true mean and deviation of "
        "its pixels, which the model did not predict (model.target = \"raw\" predicts pixels).";
  return model;
}

Value videomae_encoder(Graph& g, const ModelOptions& given, Value clip) {
  const ModelOptions options = videomae_options(given);
  return normalised(g, options, encoded(g, options, clip, {}));
}

}  // namespace framefold

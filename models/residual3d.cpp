// Residual blocks (He et al. 2016, pre-activation) with group normalisation (Wu and He 2018) and
// SiLU; down by strided convolutions, up by nearest up-sampling and a convolution, which leaves no
// checkerboard (Odena et al. 2016). A spatial level leaves time alone: neighbouring frames differ
// by little motion, and its features are where motion is still seen.
#include "models/residual3d.h"

#include "models/layers.h"

namespace framefold {
namespace {

constexpr Extents cube{3, 3, 3};
constexpr Conv3d same{.padding = {1, 1, 1}};

Value block(Graph& g, const std::string& name, Value x) {
  const Graph::Scope scope(g, name);
  const Graph::Block again(g);
  const Index channels = g.shape(x)[-1];
  Value y = layers::norm_silu(g, "norm1", x);
  y = layers::conv(g, "conv1", y, channels, cube, same);
  y = layers::norm_silu(g, "norm2", y);
  y = layers::conv(g, "conv2", y, channels, cube, same);
  return add(g, y, x);
}

Value blocks(Graph& g, const std::string& level, Value x, Index count) {
  for (Index i = 0; i < count; ++i) x = block(g, text(level, ".block", i), x);
  return x;
}

struct Encoded {
  Value code;
  std::vector<Extents> sizes;  // before each level
};

Encoded encoded(Graph& g, const ModelOptions& options, Value clip) {
  layers::check_divisible(options);
  Encoded into;
  Value x = pixels(g, clip);
  for (std::size_t i = 0; i < options.widths.size(); ++i) {
    const std::string level = text("encoder.", i);
    into.sizes.push_back({g.shape(x)[1], g.shape(x)[2], g.shape(x)[3]});
    x = layers::conv(g, level + ".down", x, options.widths[i], cube,
                     {.stride = layers::stride_of(options, i), .padding = {1, 1, 1}});
    x = blocks(g, level, x, options.blocks);
  }
  const Index code_channels = options.code > 0 ? options.code : options.widths.back();
  x = layers::norm_silu(g, "encoder.norm", x);
  into.code = layers::conv(g, "encoder.code", x, code_channels, {1, 1, 1});
  return into;
}

}  // namespace

Value residual3d_encoder(Graph& g, const ModelOptions& options, Value clip) {
  return layers::tokens(g, encoded(g, options, clip).code);
}

Autoencoder residual3d_autoencoder(Graph& g, const ModelOptions& options, Index batch) {
  const std::size_t levels = options.widths.size();
  const auto [clip, target] = layers::inputs(g, options, batch);
  const auto [code, sizes] = encoded(g, options, clip);
  Value x = layers::conv(g, "decoder.code", code, options.widths.back(), {1, 1, 1});
  for (std::size_t i = levels; i-- > 0;) {
    const std::string level = text("decoder.", levels - 1 - i);
    x = blocks(g, level, x, options.blocks);
    x = layers::norm_silu(g, level + ".norm", x);
    x = upsample3d(g, x, sizes[i], Upsampling::nearest);
    x = layers::conv(g, level + ".up", x, i > 0 ? options.widths[i - 1] : options.clip.channels,
                     cube, same);
  }
  const layers::Ending ending = layers::compare(g, x, target, options.loss);
  return {clip, target, code, ending.reconstruction, ending.loss};
}

}  // namespace framefold

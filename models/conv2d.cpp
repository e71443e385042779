// After Chollet 2016, "Building autoencoders in Keras": 3x3 convolutions, each followed by 2x2
// max pooling, then mirrored with nearest up-sampling. Up-sampling goes to the size that the
// encoder had at that level, so any height and width fit; where the published decoder uses an
// unpadded convolution to come from 16x16 to 14x14, this one pads and goes from 7x7 to 14x14.
#include "models/conv2d.h"

#include "models/layers.h"

namespace framefold {

namespace {

constexpr Extents kernel{1, 3, 3};

Conv3d hidden_layer(const ModelOptions& options) {
  Conv3d same{.padding = {0, 1, 1}};
  same.activation = layers::activation_named(options.activation);
  return same;
}

struct Encoded {
  Value code;
  std::vector<Extents> sizes;  // before each pooling
};

Encoded encoded(Graph& g, const ModelOptions& options, Value clip) {
  const Conv3d same = hidden_layer(options);
  Encoded into;
  Value x = pixels(g, clip);
  for (std::size_t i = 0; i < options.widths.size(); ++i) {
    x = layers::conv(g, text("encoder.", i), x, options.widths[i], kernel, same);
    const Extents size{g.shape(x)[1], g.shape(x)[2], g.shape(x)[3]};
    if (size[1] < 2 || size[2] < 2)
      fail(ErrorCode::config, "model conv2d: after ", i, " poolings frames are ", size[1], " x ",
           size[2], "; give fewer than ", options.widths.size(), " widths or larger frames");
    into.sizes.push_back(size);
    x = max_pool3d(
        g, x, {.kernel = {1, 2, 2}, .stride = {1, 2, 2}, .padding = {0, size[1] % 2, size[2] % 2}});
  }
  into.code = x;
  return into;
}

}  // namespace

Value conv2d_encoder(Graph& g, const ModelOptions& options, Value clip) {
  return layers::tokens(g, encoded(g, options, clip).code);
}

Autoencoder conv2d_autoencoder(Graph& g, const ModelOptions& options, Index batch) {
  const auto [clip, target] = layers::inputs(g, options, batch);
  const Conv3d same = hidden_layer(options);
  const auto [code, sizes] = encoded(g, options, clip);
  Value x = code;
  for (std::size_t i = options.widths.size(); i-- > 0;) {
    x = layers::conv(g, text("decoder.", options.widths.size() - 1 - i), x, options.widths[i],
                     kernel, same);
    x = upsample3d(g, x, sizes[i], Upsampling::nearest);
  }
  Conv3d last{.padding = {0, 1, 1}};
  last.activation = options.loss == "bce" ? Activation::none : Activation::sigmoid;
  x = layers::conv(g, text("decoder.", options.widths.size()), x, options.clip.channels, kernel,
                   last);
  const layers::Ending ending = layers::compare(g, x, target, options.loss);
  return {clip, target, code, ending.reconstruction, ending.loss};
}

}  // namespace framefold

// Every level halves time, height and width by a convolution (kernel 3, stride 2) and doubles them
// by a transposed one (kernel 4, stride 2), without pooling; a spatial level leaves time alone; the
// layout of Tran et al. 2015 turned into an autoencoder.
#include "models/conv3d.h"

#include "models/layers.h"

namespace framefold {

namespace {

Value encoded(Graph& g, const ModelOptions& options, Value clip) {
  layers::check_divisible(options);
  const Activation hidden = layers::activation_named(options.activation);
  Value x = pixels(g, clip);
  for (std::size_t i = 0; i < options.widths.size(); ++i)
    x = layers::conv(
        g, text("encoder.", i), x, options.widths[i], {3, 3, 3},
        {.stride = layers::stride_of(options, i), .padding = {1, 1, 1}, .activation = hidden});
  return x;
}

}  // namespace

Value conv3d_encoder(Graph& g, const ModelOptions& options, Value clip) {
  return layers::tokens(g, encoded(g, options, clip));
}

Autoencoder conv3d_autoencoder(Graph& g, const ModelOptions& options, Index batch) {
  const auto [clip, target] = layers::inputs(g, options, batch);
  const Activation hidden = layers::activation_named(options.activation);
  const Value code = encoded(g, options, clip);
  Value x = code;
  for (std::size_t i = options.widths.size(); i-- > 0;) {
    const Extents stride = layers::stride_of(options, i);
    const Activation last = options.loss == "bce" ? Activation::none : Activation::sigmoid;
    x = layers::conv_transpose(
        g, text("decoder.", options.widths.size() - 1 - i), x,
        i > 0 ? options.widths[i - 1] : options.clip.channels, {stride[0] == 2 ? 4 : 3, 4, 4},
        {.stride = stride, .padding = {1, 1, 1}, .activation = i > 0 ? hidden : last});
  }
  const layers::Ending ending = layers::compare(g, x, target, options.loss);
  return {clip, target, code, ending.reconstruction, ending.loss};
}

}  // namespace framefold

// Every level halves time, height and width by a convolution (kernel 3, stride 2) and doubles them
// by a transposed one (kernel 4, stride 2), without pooling; the layout of Tran et al. 2015 turned
// into an autoencoder.
#include "models/conv3d.h"

#include "models/layers.h"

namespace framefold {

Autoencoder conv3d_autoencoder(Graph& g, const ModelOptions& options, Index batch) {
  const ClipShape& shape = options.clip;
  const Index divisor = Index{1} << options.widths.size();
  if (shape.frames % divisor != 0 || shape.height % divisor != 0 || shape.width % divisor != 0)
    fail(ErrorCode::config, "model conv3d: clips of ", shape.frames, " x ", shape.height, " x ",
         shape.width, " cannot be halved ", options.widths.size(),
         " times; choose frames, height and width divisible by ", divisor, " or fewer widths");
  const Value clip = g.input(
      "clip", {DType::u8, {batch, shape.frames, shape.height, shape.width, shape.channels}});
  Conv3d down{.stride = {2, 2, 2}, .padding = {1, 1, 1}};
  down.activation = layers::activation_named(options.activation);
  ConvTranspose3d up{.stride = {2, 2, 2}, .padding = {1, 1, 1}};
  up.activation = down.activation;
  Value x = pixels(g, clip);
  for (std::size_t i = 0; i < options.widths.size(); ++i)
    x = layers::conv(g, text("encoder.", i), x, options.widths[i], {3, 3, 3}, down);
  const Value code = x;
  for (std::size_t i = options.widths.size(); i-- > 1;)
    x = layers::conv_transpose(g, text("decoder.", options.widths.size() - 1 - i), x,
                               options.widths[i - 1], {4, 4, 4}, up);
  up.activation = options.loss == "bce" ? Activation::none : Activation::sigmoid;
  x = layers::conv_transpose(g, text("decoder.", options.widths.size() - 1), x, shape.channels,
                             {4, 4, 4}, up);
  const layers::Ending ending = layers::compare(g, x, clip, options.loss);
  return {clip, code, ending.reconstruction, ending.loss};
}

}  // namespace framefold

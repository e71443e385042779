// Fully connected autoencoders: plain (one hidden layer), bottleneck (a narrow one) and deep
// (several widths, mirrored), after Hinton and Salakhutdinov 2006, trained end to end.
#include "models/dense.h"

#include "models/layers.h"

namespace framefold {

Autoencoder dense_autoencoder(Graph& g, const ModelOptions& options, Index batch) {
  const ClipShape& shape = options.clip;
  const Value clip = g.input(
      "clip", {DType::u8, {batch, shape.frames, shape.height, shape.width, shape.channels}});
  const Index numbers = shape.frames * shape.height * shape.width * shape.channels;
  const Activation hidden = layers::activation_named(options.activation);
  Value x = reshape(g, pixels(g, clip), {batch, numbers});
  for (std::size_t i = 0; i < options.widths.size(); ++i)
    x = layers::dense(g, text("encoder.", i), x, options.widths[i], hidden);
  const Value code = x;
  for (std::size_t i = options.widths.size(); i-- > 1;)
    x = layers::dense(g, text("decoder.", options.widths.size() - 1 - i), x, options.widths[i - 1],
                      hidden);
  const Activation last = options.loss == "bce" ? Activation::none : Activation::sigmoid;
  x = layers::dense(g, text("decoder.", options.widths.size() - 1), x, numbers, last);
  const layers::Ending ending = layers::compare(g, x, clip, options.loss);
  return {clip, code, ending.reconstruction, ending.loss};
}

}  // namespace framefold

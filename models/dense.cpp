// Fully connected autoencoders: plain (one hidden layer), bottleneck (a narrow one) and deep
// (several widths, mirrored), after Hinton and Salakhutdinov 2006, trained end to end.
#include "models/dense.h"

#include "models/layers.h"

namespace framefold {

namespace {

// [B, units]
Value encoded(Graph& g, const ModelOptions& options, Value clip) {
  const Shape& shape = g.shape(clip);
  const Activation hidden = layers::activation_named(options.activation);
  Value x = reshape(g, pixels(g, clip), {shape[0], shape.size() / shape[0]});
  for (std::size_t i = 0; i < options.widths.size(); ++i)
    x = layers::dense(g, text("encoder.", i), x, options.widths[i], hidden);
  return x;
}

}  // namespace

Value dense_encoder(Graph& g, const ModelOptions& options, Value clip) {
  return layers::tokens(g, encoded(g, options, clip));
}

Autoencoder dense_autoencoder(Graph& g, const ModelOptions& options, Index batch) {
  const auto [clip, target] = layers::inputs(g, options, batch);
  const Activation hidden = layers::activation_named(options.activation);
  const Value code = encoded(g, options, clip);
  Value x = code;
  for (std::size_t i = options.widths.size(); i-- > 1;)
    x = layers::dense(g, text("decoder.", options.widths.size() - 1 - i), x, options.widths[i - 1],
                      hidden);
  const Activation last = options.loss == "bce" ? Activation::none : Activation::sigmoid;
  x = layers::dense(g, text("decoder.", options.widths.size() - 1), x, g.shape(clip).size() / batch,
                    last);
  const layers::Ending ending = layers::compare(g, x, target, options.loss);
  return {clip, target, code, ending.reconstruction, ending.loss};
}

}  // namespace framefold

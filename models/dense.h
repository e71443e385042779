// Fully connected autoencoders; reads widths, activation and loss.
#pragma once

#include "models/model.h"

namespace framefold {

Autoencoder dense_autoencoder(Graph& graph, const ModelOptions& options, Index batch);
Value dense_encoder(Graph& graph, const ModelOptions& options, Value clip);  // one token

}  // namespace framefold

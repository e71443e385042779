// The convolutional autoencoder for images; reads widths, activation and loss. Frames of a clip
// are treated one by one.
#pragma once

#include "models/model.h"

namespace framefold {

Autoencoder conv2d_autoencoder(Graph& graph, const ModelOptions& options, Index batch);
Value conv2d_encoder(Graph& graph, const ModelOptions& options, Value clip);

}  // namespace framefold

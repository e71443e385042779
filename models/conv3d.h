// The 3-D convolutional video autoencoder; reads widths, spatial_levels,
// activation and loss.
#pragma once

#include "models/model.h"

namespace framefold {

Autoencoder conv3d_autoencoder(Graph& graph, const ModelOptions& options, Index batch);
Value conv3d_encoder(Graph& graph, const ModelOptions& options, Value clip);

}  // namespace framefold

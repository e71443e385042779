// A deeper 3-D video autoencoder of residual blocks; reads widths, spatial_levels,
// blocks, code and loss.
#pragma once

#include "models/model.h"

namespace framefold {

Autoencoder residual3d_autoencoder(Graph& graph, const ModelOptions& options, Index batch);
Value residual3d_encoder(Graph& graph, const ModelOptions& options, Value clip);

}  // namespace framefold

// The operations as functions on a graph: what models are built from. The contracts (shapes,
// formulas, sources) stand in the kernels' headers of the same names.
#pragma once

#include "engine/graph.h"
#include "kernels/layer_norm.h"

namespace framefold {

// Normalisation
Value layer_norm(Graph& g, Value x, Value gamma, Value beta, LayerNorm norm = {});

}  // namespace framefold

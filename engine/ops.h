// The operations as functions on a graph: what models are built from. The contracts (shapes,
// formulas, sources) stand in the kernels' headers of the same names.
#pragma once

#include "engine/graph.h"
#include "kernels/layer_norm.h"

namespace framefold {

// Shape
Value concat(Graph& g, const std::vector<Value>& x, int axis);
Value slice(Graph& g, Value x, int axis, Index begin, Index end);

// Normalisation
Value layer_norm(Graph& g, Value x, Value gamma, Value beta, LayerNorm norm = {});

}  // namespace framefold

// A graph whose encoder stays as it is.
#pragma once

#include <string_view>

#include "engine/graph.h"

namespace framefold {

// The same graph, value for value, with every parameter whose name begins with `prefix` as a
// buffer: plans then hold no gradient for it, compute none that only it would need, and no
// optimiser keeps a state; files keep it under its name. Operations stay those of the graph's mode.
Graph frozen(const Graph& graph, std::string_view prefix);

}  // namespace framefold

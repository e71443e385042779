#include "engine/freeze.h"

#include <optional>

namespace framefold {

// Values are numbered in the order in which they are declared, so handles stay the same.
Graph frozen(const Graph& graph, std::string_view prefix) {
  Graph made(graph.mode());
  for (const Graph::ValueInfo& value : graph.values()) {
    const Shape& shape = value.type.shape;
    switch (value.kind) {
      case Graph::Kind::input: made.input(value.name, value.type); break;
      case Graph::Kind::parameter:
        if (value.name.starts_with(prefix))
          made.buffer(value.name, shape, value.init);
        else
          made.parameter(value.name, shape, value.init, value.decays);
        break;
      case Graph::Kind::buffer: made.buffer(value.name, shape, value.init); break;
      case Graph::Kind::constant: made.constant(value.name, shape, value.init); break;
      case Graph::Kind::activation: {
        if (value.output > 0) break;  // came with the first one
        const Graph::Node& node = graph.nodes()[static_cast<std::size_t>(value.node)];
        std::optional<Graph::Scope> scope;
        if (const std::size_t end = node.label.find('/'); end != std::string::npos)
          scope.emplace(made, node.label.substr(0, end));
        made.add(node.op, node.in);
        break;
      }
    }
  }
  return made;
}

}  // namespace framefold

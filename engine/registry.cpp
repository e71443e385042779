#include <array>

#include "engine/op.h"

namespace framefold {

std::span<const OpInfo> registered_ops() {
  static constexpr auto ops = std::to_array<OpInfo>({
      {"layer_norm", "layer normalisation over the last axis"},
  });
  return ops;
}

}  // namespace framefold

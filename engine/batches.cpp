#include "engine/batches.h"

namespace framefold {

std::vector<Tensor> inputs_of(const Executor& executor) {
  std::vector<Tensor> inputs;
  for (const Graph::ValueInfo& info : executor.plan().graph().values())
    if (info.kind == Graph::Kind::input) inputs.push_back(executor.input(info.name));
  return inputs;
}

}  // namespace framefold

// Where batches come from, seen from the engine.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "engine/executor.h"

namespace framefold {

// Batches by number; batch i is a function of i alone.
class BatchSource {
 public:
  struct Batch {
    Index epoch = 0;
    Index samples = 0;
  };

  virtual ~BatchSource() = default;
  virtual void seek(Index batch) = 0;  // the one that next() delivers
  // Fills the executor's inputs, which stand in the order of the graph.
  virtual Batch next(std::span<const Tensor> inputs) = 0;
  virtual std::vector<std::string> names() const = 0;  // of the last batch's samples
};

// An executor's inputs in the order of its graph, as BatchSource::next takes them.
std::vector<Tensor> inputs_of(const Executor& executor);

}  // namespace framefold

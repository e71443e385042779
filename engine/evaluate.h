// Means over a data set.
#pragma once

#include <span>
#include <vector>

#include "engine/batches.h"

namespace framefold {

struct Evaluation {
  Index samples = 0;
  double loss = 0;              // means over samples
  std::vector<double> metrics;  // in the order asked for

  // Means over both sets: a batch size that does not divide a set leaves a rest for another plan.
  Evaluation& operator+=(const Evaluation& other);
};

// Runs batches first ... first + batches - 1 forward, and
// takes the means of the loss and of `metrics`, scalars [1] that the plan fetches. Every batch
// must be as large as the plan's.
Evaluation evaluate(Executor& executor, BatchSource& source, Index batches, Index first = 0,
                    std::span<const Value> metrics = {});

}  // namespace framefold

// How a loss over many elements becomes one number. Losses are scalars [1], f32 (f64 beside f64),
// summed in double in pieces of fixed size: the same for any number of threads.
#pragma once

#include "kernels/tensor.h"

namespace framefold {

// mean: over all elements. batch_mean: the sum over everything, divided by the first axis.
enum class LossReduction : std::uint8_t { mean, batch_mean };

inline double weight_of(LossReduction reduction, const Shape& x) {
  const Index count = reduction == LossReduction::mean || x.rank() == 0 ? x.size() : x[0];
  return count == 0 ? 0.0 : 1.0 / static_cast<double>(count);
}

}  // namespace framefold

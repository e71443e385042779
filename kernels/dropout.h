// Dropout (Srivastava et al. 2014), scaled so that the mean stays.
//
//   y[i] = random.uniform(i / each) >= rate ? x[i] / (1 - rate) : 0
//
//   x, y   any shape, f32, bf16 or f64, both the same
//
// The gradient is the same function of dy: the mask is drawn again, nothing is kept. y is written
// (=) and may be x. 0 <= rate < 1. `each` neighbours, from 1 on, stay or fall together: with all of
// a sample's it is stochastic depth (Huang et al. 2016), by sample. Any size; the mask depends on
// random and i alone, not on threads, paths or devices.
#pragma once

#include "kernels/philox.h"
#include "kernels/stream.h"

namespace framefold {

void dropout(const Stream& stream, float rate, Index each, Random random, Tensor y, View x);

namespace fast {
bool dropout(const Stream& stream, float rate, Index each, Random random, Tensor y, View x);
}

}  // namespace framefold

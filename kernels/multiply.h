// Product of two tensors, element by element.
//
//   y = a b       da = dy b       db = dy a
//
//   a, b, y, d...   any shape, f32, bf16 or f64, all the same
//
// Backward reads a and b. y, da and db are written (=); y may be a, and da may be dy once db is
// there. Any size; deterministic for any number of threads. Memory-bound: the plain loop is the
// fast path.
#pragma once

#include "kernels/stream.h"

namespace framefold {

// Forward and both gradients: y = a b.
void multiply(const Stream& stream, Tensor y, View a, View b);

}  // namespace framefold

// A line through every element.
//
//   y = a x + b       dx = a dy
//
//   x, y, dx, dy   any shape, f32, bf16 or f64, all the same
//
// Backward reads dy alone. y and dx are written (=); y may be x, dx may be dy. Any size;
// deterministic for any number of threads. Memory-bound: the plain loop is the fast path.
#pragma once

#include "kernels/stream.h"

namespace framefold {

// Forward, and with b = 0 the gradient.
void scale(const Stream& stream, double a, double b, Tensor y, View x);

}  // namespace framefold

// The same elements in another shape.
//
//   x        any type and shape
//   y        as x, [shape], as many elements
//
// y is a view of x's bytes and dx one of dy's: nothing is computed.
#pragma once

#include "kernels/check.h"

namespace framefold {

inline TensorType reshaped(const TensorType& x, const Shape& shape) {
  if (shape.size() != x.shape.size())
    fail(ErrorCode::shape, "reshape: x ", x.shape, " has ", x.shape.size(), " elements, ", shape,
         " has ", shape.size());
  return {x.dtype, shape};
}

}  // namespace framefold

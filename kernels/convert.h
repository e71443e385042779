// f32 to bf16, to nearest, ties to even, and back: what vendors' products and convolutions ask of
// operands that are f32 beside others that are bf16.
//
//   y   any shape, f32 or bf16     written (=)
//   x   as many elements, the other of the two
//
// Any size; deterministic for any number of threads.
#pragma once

#include "kernels/stream.h"

namespace framefold {

void convert(const Stream& stream, Tensor y, View x);

}  // namespace framefold

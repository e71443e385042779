// The backward of what a product or a convolution fuses behind its sums: bias and activation.
//
//   y = activation(z), z = product + bias
//
//   dz = dy activation'(z), from y alone        dbias += sum of dz over all but the last axis
//
//   y, dy, dz   [..., C]  f32, bf16 or f64, all the same
//   dbias       [C]       f32 (f64 where y is f64)
//
// dz may be dy. Without data: dz where the activation is none (dz is dy), y likewise, dbias where
// nobody wants it. At the kink of relu and leaky_relu the derivative is that of the left side.
// Activations whose derivative comes from the output only. dbias is summed in blocks, thread by
// thread: deterministic for a given number of threads.
#pragma once

#include "kernels/activation_formula.h"
#include "kernels/stream.h"

namespace framefold {

void epilogue_backward(const Stream& stream, Activation activation, Tensor dz, Tensor dbias,
                       Workspace workspace, View dy, View y);
Bytes epilogue_backward_workspace(const Stream& stream, const TensorType& y);

// The reference's activation; the fast paths' is activate_tile.
template <class A>
A activate(Activation activation, A x) {
  A y = x;
  with_formula<A, StandardMath>(activation, [&](auto formula) { y = formula.value(x); });
  return y;
}

// An Error where `op` cannot fuse the activation.
void expect_fusible(std::string_view op, Activation activation);

namespace fast {
bool epilogue_backward(const Stream& stream, Activation activation, Tensor dz, Tensor dbias,
                       Workspace workspace, View dy, View y);
}

}  // namespace framefold

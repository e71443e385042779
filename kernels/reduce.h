// Sums and means over chosen axes.
//
//   y = sum of x over the axes             dx = dy
//   y = mean of x over the axes            dx = dy / (number of elements that y's sums are of)
//
//   x, dx        any shape                 f32, bf16 or f64
//   y, dy        x without the axes        as x; over all axes: []
//   axes         axes of x, rising, at least one
//
// dx is written (=). Backward reads dy alone. Deterministic for a given number of threads; sums of
// f32 meet in f64, on a device in f32.
#pragma once

#include <span>

#include "kernels/stream.h"

namespace framefold {

enum class Reduction : std::uint8_t { sum, mean };

void reduce_forward(const Stream& stream, Reduction kind, Tensor y, Workspace workspace, View x,
                    std::span<const int> axes);
void reduce_dgrad(const Stream& stream, Reduction kind, Tensor dx, View dy,
                  std::span<const int> axes);
Bytes reduce_forward_workspace(const Stream& stream, const TensorType& x,
                               std::span<const int> axes);

// The fast path, f32, where the axes are neighbours.
namespace fast {
bool reduce_forward(const Stream& stream, double scale, Tensor y, Workspace workspace, View x,
                    std::span<const int> axes);
bool reduce_dgrad(const Stream& stream, double scale, Tensor dx, View dy,
                  std::span<const int> axes);
}  // namespace fast

}  // namespace framefold

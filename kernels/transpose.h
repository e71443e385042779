// A small transpose, for tiles that stay in the first-level cache: whole cache lines are read and
// written, words of four bytes four by four.
#pragma once

#include <cstdint>

#include "kernels/tensor.h"

namespace framefold {

namespace detail {

using Words = std::uint32_t __attribute__((vector_size(16), aligned(4), may_alias));

inline void transpose_4x4(void* y, Index y_step, const void* x, Index x_step) {
  const auto row = [&](Index c) {
    return *reinterpret_cast<const Words*>(static_cast<const std::uint32_t*>(x) + c * x_step);
  };
  const auto put = [&](Index r, Words words) {
    *reinterpret_cast<Words*>(static_cast<std::uint32_t*>(y) + r * y_step) = words;
  };
  const Words a = __builtin_shufflevector(row(0), row(1), 0, 4, 1, 5);
  const Words b = __builtin_shufflevector(row(0), row(1), 2, 6, 3, 7);
  const Words c = __builtin_shufflevector(row(2), row(3), 0, 4, 1, 5);
  const Words d = __builtin_shufflevector(row(2), row(3), 2, 6, 3, 7);
  put(0, __builtin_shufflevector(a, c, 0, 1, 4, 5));
  put(1, __builtin_shufflevector(a, c, 2, 3, 6, 7));
  put(2, __builtin_shufflevector(b, d, 0, 1, 4, 5));
  put(3, __builtin_shufflevector(b, d, 2, 3, 6, 7));
}

}  // namespace detail

// y[r * y_step + c] = x[c * x_step + r] for r < rows, c < columns.
template <class Element>
void transpose(Index rows, Index columns, Element* y, Index y_step, const Element* x,
               Index x_step) {
  constexpr Index side = sizeof(Element) == 4 ? 4 : 1;
  const Index whole = rows / side * side;
  Index c = 0;
  for (; c + side <= columns; c += side) {
    for (Index r = 0; r < whole; r += side)
      if constexpr (side == 4)
        detail::transpose_4x4(y + r * y_step + c, y_step, x + c * x_step + r, x_step);
      else
        y[r * y_step + c] = x[c * x_step + r];
    for (Index r = whole; r < rows; ++r)
      for (Index k = c; k < c + side; ++k) y[r * y_step + k] = x[k * x_step + r];
  }
  for (; c < columns; ++c)
    for (Index r = 0; r < rows; ++r) y[r * y_step + c] = x[c * x_step + r];
}

}  // namespace framefold

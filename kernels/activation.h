// Pointwise activations, by name; a fused operation takes one as an attribute.
//
//   none        y = x                      relu        y = max(x, 0)
//   leaky_relu  y = x > 0 ? x : slope x    sigmoid     y = 1 / (1 + e^-x)
//   tanh        y = tanh(x)                silu        y = x sigmoid(x)
//   gelu_erf    y = x (1 + erf(x / sqrt 2)) / 2
//   gelu_tanh   y = x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2
#pragma once

#include <cstdint>

namespace framefold {

// Activation::relu stands for itself; Activation{Activation::leaky_relu, 0.2F} carries a slope.
struct Activation {
  enum Kind : std::uint8_t { none, relu, leaky_relu, sigmoid, tanh, gelu_erf, gelu_tanh, silu };

  constexpr Activation(Kind kind = none, float slope = 0.01F) : kind(kind), slope(slope) {}

  Kind kind;
  float slope;  // leaky_relu's, > 0

  // Whether the output alone gives the derivative, so that a fused operation need not keep x.
  constexpr bool derivative_from_output() const { return kind <= tanh; }
  constexpr bool operator==(const Activation&) const = default;
};

}  // namespace framefold

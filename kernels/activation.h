// Pointwise activations, by name; a fused operation takes one as an attribute.
//
//   none        y = x                      relu        y = max(x, 0)
//   leaky_relu  y = x > 0 ? x : slope x    sigmoid     y = 1 / (1 + e^-x)
//   tanh        y = tanh(x)                silu        y = x sigmoid(x)
//   gelu_erf    y = x (1 + erf(x / sqrt 2)) / 2
//   gelu_tanh   y = x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2
//
//   x, y, dy, dx   any shape, f32, bf16 or f64, all the same
//   from           y where derivative_from_output(), else x: what backward reads
//
//   dx = dy * activation'(from); at the kink of relu and leaky_relu the left side's derivative
//
// y and dx are written (=); y may be x and dx may be dy. Any size; every element stands alone:
// deterministic for any number of threads. Sources: Maas, Hannun, Ng 2013 (leaky ReLU); Hendrycks
// and Gimpel 2016 (GELU); Elfwing, Uchibe, Doya 2018 (SiLU).
#pragma once

#include <cstdint>

#include "kernels/stream.h"

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

void activation_forward(const Stream& stream, Activation activation, Tensor y, View x);
void activation_dgrad(const Stream& stream, Activation activation, Tensor dx, View dy, View from);

namespace fast {
bool activation_forward(const Stream& stream, Activation activation, Tensor y, View x);
bool activation_dgrad(const Stream& stream, Activation activation, Tensor dx, View dy, View from);

// One thread's loops, for rows that a fused operation has just made.
void activate(Activation activation, Index count, float* y, const float* x);
void activate_gradient(Activation activation, Index count, float* dx, const float* dy,
                       const float* from);
}  // namespace fast

}  // namespace framefold

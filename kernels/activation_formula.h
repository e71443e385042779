// The formulas of activation.h, written once for references and vector loops.
#pragma once

#include "kernels/activation.h"
#include "kernels/pointwise.h"

namespace framefold {

// An activation whose kind the compiler knows, so that loops over its calls have no branch.
template <Activation::Kind kind, class T, class Math>
struct ActivationFormula {
  T slope;

  FRAMEFOLD_INLINE static T normal_share(T x) {  // of a standard normal variable, below x
    return (1 + Math::erf(x * T(0.70710678118654752440))) / 2;
  }
  static constexpr T gelu_scale = T(0.79788456080286535588);  // sqrt(2 / pi)
  static constexpr T gelu_cubic = T(0.044715);

  FRAMEFOLD_INLINE T value(T x) const {
    if constexpr (kind == Activation::relu) return x < 0 ? T{0} : x;
    if constexpr (kind == Activation::leaky_relu) return x > 0 ? x : slope * x;
    if constexpr (kind == Activation::sigmoid) return Math::sigmoid(x);
    if constexpr (kind == Activation::tanh) return Math::tanh(x);
    if constexpr (kind == Activation::gelu_erf) return x * normal_share(x);
    if constexpr (kind == Activation::gelu_tanh)
      return x * (1 + Math::tanh(gelu_scale * (x + gelu_cubic * x * x * x))) / 2;
    if constexpr (kind == Activation::silu) return x * Math::sigmoid(x);
    if constexpr (kind == Activation::none) return x;
  }

  // From the output where derivative_from_output() says so, else from the input.
  FRAMEFOLD_INLINE T derivative(T from) const {
    if constexpr (kind == Activation::relu) return from > 0 ? T{1} : T{0};
    if constexpr (kind == Activation::leaky_relu) return from > 0 ? T{1} : slope;
    if constexpr (kind == Activation::sigmoid) return from * (1 - from);
    if constexpr (kind == Activation::tanh) return 1 - from * from;
    if constexpr (kind == Activation::gelu_erf)
      return normal_share(from) + from * T(0.39894228040143267794) * Math::exp(-from * from / 2);
    if constexpr (kind == Activation::gelu_tanh) {
      const T t = Math::tanh(gelu_scale * (from + gelu_cubic * from * from * from));
      return (1 + t + from * (1 - t * t) * gelu_scale * (1 + 3 * gelu_cubic * from * from)) / 2;
    }
    if constexpr (kind == Activation::silu) {
      const T s = Math::sigmoid(from);
      return s * (1 + from * (1 - s));
    }
    if constexpr (kind == Activation::none) return 1;
  }
};

// Calls use(formula) with the formula of an activation.
template <class T, class Math, class Use>
FRAMEFOLD_INLINE void with_formula(Activation a, Use use) {
  const T slope = T(a.slope);
  switch (a.kind) {
    case Activation::none: return use(ActivationFormula<Activation::none, T, Math>{slope});
    case Activation::relu: return use(ActivationFormula<Activation::relu, T, Math>{slope});
    case Activation::leaky_relu:
      return use(ActivationFormula<Activation::leaky_relu, T, Math>{slope});
    case Activation::sigmoid: return use(ActivationFormula<Activation::sigmoid, T, Math>{slope});
    case Activation::tanh: return use(ActivationFormula<Activation::tanh, T, Math>{slope});
    case Activation::gelu_erf: return use(ActivationFormula<Activation::gelu_erf, T, Math>{slope});
    case Activation::gelu_tanh:
      return use(ActivationFormula<Activation::gelu_tanh, T, Math>{slope});
    case Activation::silu: return use(ActivationFormula<Activation::silu, T, Math>{slope});
  }
}

}  // namespace framefold

// The formulas of pointwise_loss.h, written once for references and vector loops.
#pragma once

#include "kernels/pointwise.h"
#include "kernels/pointwise_loss.h"

namespace framefold {

// A loss whose kind the compiler knows, so that loops over its calls have no branch.
template <PointwiseLoss::Kind kind, class T, class Math>
struct PointwiseLossFormula {
  T delta;

  FRAMEFOLD_INLINE T value(T x, T t) const {
    const T d = x - t;
    const T distance = std::fabs(d);
    if constexpr (kind == PointwiseLoss::mse) return d * d;
    if constexpr (kind == PointwiseLoss::l1) return distance;
    if constexpr (kind == PointwiseLoss::huber)
      return distance <= delta ? d * d / 2 : delta * (distance - delta / 2);
    if constexpr (kind == PointwiseLoss::bce_with_logits)
      return (x > 0 ? x : T{0}) - x * t + Math::log1p(Math::exp(-std::fabs(x)));
  }

  FRAMEFOLD_INLINE T derivative(T x, T t) const {
    const T d = x - t;
    if constexpr (kind == PointwiseLoss::mse) return 2 * d;
    if constexpr (kind == PointwiseLoss::l1) return d > 0 ? T{1} : (d < 0 ? T{-1} : d);
    if constexpr (kind == PointwiseLoss::huber)
      return d > delta ? delta : (d < -delta ? -delta : d);
    if constexpr (kind == PointwiseLoss::bce_with_logits) return Math::sigmoid(x) - t;
  }
};

// Calls use(formula) with the formula of a loss.
template <class T, class Math, class Use>
FRAMEFOLD_INLINE void with_formula(PointwiseLoss loss, Use use) {
  const T delta = T(loss.delta);
  switch (loss.kind) {
    case PointwiseLoss::mse: return use(PointwiseLossFormula<PointwiseLoss::mse, T, Math>{delta});
    case PointwiseLoss::l1: return use(PointwiseLossFormula<PointwiseLoss::l1, T, Math>{delta});
    case PointwiseLoss::huber:
      return use(PointwiseLossFormula<PointwiseLoss::huber, T, Math>{delta});
    case PointwiseLoss::bce_with_logits:
      return use(PointwiseLossFormula<PointwiseLoss::bce_with_logits, T, Math>{delta});
  }
}

// A target as a number: pixels stand for a fraction of 255.
template <class A, class T>
FRAMEFOLD_INLINE A target_value(T t) {
  return static_cast<A>(t);
}
template <class A>
FRAMEFOLD_INLINE A target_value(std::uint8_t t) {
  return static_cast<A>(t) * (A{1} / 255);
}

// Calls use(pointer) with the target's elements.
template <class T, class Use>
void with_target(View t, Use use) {
  if (t.dtype == DType::u8) return use(t.as<std::uint8_t>());
  use(t.as<T>());
}

}  // namespace framefold

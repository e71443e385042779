#include "kernels/activation_formula.h"
#include "kernels/pointwise.h"

namespace framefold {
namespace {

bool supported(const Stream& stream, View x) {
  return stream.wants(Path::native) && x.dtype == DType::f32;
}

FRAMEFOLD_SIMD void forward(Activation activation, Index count, float* y, const float* x) {
  with_formula<float, VectorMath>(
      activation, [=](auto formula) __attribute__((always_inline)) {
        each(count, [=](Index i) { y[i] = formula.value(x[i]); });
      });
}

FRAMEFOLD_SIMD void dgrad(Activation activation, Index count, float* dx, const float* dy,
                          const float* from) {
  with_formula<float, VectorMath>(
      activation, [=](auto formula) __attribute__((always_inline)) {
        each(count, [=](Index i) { dx[i] = dy[i] * formula.derivative(from[i]); });
      });
}

}  // namespace

void fast::activate(Activation activation, Index count, float* y, const float* x) {
  forward(activation, count, y, x);
}

void fast::activate_gradient(Activation activation, Index count, float* dx, const float* dy,
                             const float* from) {
  dgrad(activation, count, dx, dy, from);
}

bool fast::activation_forward(const Stream& stream, Activation activation, Tensor y, View x) {
  if (!supported(stream, x)) return false;
  parallel_loop(
      stream, x.size(), [=](auto... a) { forward(activation, a...); }, y.as<float>(),
      x.as<float>());
  return true;
}

bool fast::activation_dgrad(const Stream& stream, Activation activation, Tensor dx, View dy,
                            View from) {
  if (!supported(stream, dy)) return false;
  parallel_loop(
      stream, dy.size(), [=](auto... a) { dgrad(activation, a...); }, dx.as<float>(),
      dy.as<float>(), from.as<float>());
  return true;
}

}  // namespace framefold

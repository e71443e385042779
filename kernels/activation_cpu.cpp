#include "kernels/activation_formula.h"
#include "kernels/device.h"
#include "kernels/pointwise.h"

namespace framefold {

void activation_forward(const Stream& stream, Activation activation, Tensor y, View x) {
  if (on_device(stream)) return device<&activation_forward>(stream, activation, y, x);
  if (fast::activation_forward(stream, activation, y, x)) return;
  for_float(x.dtype, [&]<class T>(T) {
    using A = Accumulator<T>;
    with_formula<A, StandardMath>(activation, [&, to = y.as<T>(), from = x.as<T>()](auto formula) {
      parallel_each(stream, x.size(),
                    [=](Index i) { to[i] = T(formula.value(static_cast<A>(from[i]))); });
    });
  });
}

void activation_dgrad(const Stream& stream, Activation activation, Tensor dx, View dy, View from) {
  if (on_device(stream)) return device<&activation_dgrad>(stream, activation, dx, dy, from);
  if (fast::activation_dgrad(stream, activation, dx, dy, from)) return;
  for_float(dy.dtype, [&]<class T>(T) {
    using A = Accumulator<T>;
    with_formula<A, StandardMath>(
        activation, [&, to = dx.as<T>(), g = dy.as<T>(), at = from.as<T>()](auto formula) {
          parallel_each(stream, dy.size(), [=](Index i) {
            to[i] = T(static_cast<A>(g[i]) * formula.derivative(static_cast<A>(at[i])));
          });
        });
  });
}

}  // namespace framefold

#include "kernels/device.h"
#include "kernels/pointwise_loss_formula.h"

namespace framefold {

void pointwise_loss_forward(const Stream& stream, PointwiseLoss loss, Tensor y, Workspace workspace,
                            View x, View t) {
  if (on_device(stream)) return device<&pointwise_loss_forward>(stream, loss, y, workspace, x, t);
  if (fast::pointwise_loss_forward(stream, loss, y, workspace, x, t)) return;
  for_float(x.dtype, [&]<class T>(T) {
    using A = Accumulator<T>;
    with_target<T>(t, [&, in = x.as<T>()](auto* target) {
      with_formula<A, StandardMath>(loss, [&](auto formula) {
        const double sum = parallel_sum(stream, x.size(), workspace, [=](Index i) {
          return formula.value(static_cast<A>(in[i]), target_value<A>(target[i]));
        });
        *y.as<A>() = static_cast<A>(sum * weight_of(loss.reduction, x.shape));
      });
    });
  });
}

Bytes pointwise_loss_workspace(const TensorType& x) {
  return piecewise_sum_workspace(x.shape.size(), pointwise_grain);
}

void pointwise_loss_dgrad(const Stream& stream, PointwiseLoss loss, Tensor dx, View dy, View x,
                          View t) {
  if (on_device(stream)) return device<&pointwise_loss_dgrad>(stream, loss, dx, dy, x, t);
  if (fast::pointwise_loss_dgrad(stream, loss, dx, dy, x, t)) return;
  for_float(x.dtype, [&]<class T>(T) {
    using A = Accumulator<T>;
    const A factor = *dy.as<A>() * static_cast<A>(weight_of(loss.reduction, x.shape));
    with_target<T>(t, [&, to = dx.as<T>(), in = x.as<T>()](auto* target) {
      with_formula<A, StandardMath>(loss, [&](auto formula) {
        parallel_each(stream, x.size(), [=](Index i) {
          to[i] = T(factor * formula.derivative(static_cast<A>(in[i]), target_value<A>(target[i])));
        });
      });
    });
  });
}

}  // namespace framefold

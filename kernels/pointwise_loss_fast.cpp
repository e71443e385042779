#include "kernels/pointwise_loss_formula.h"

namespace framefold {
namespace {

bool supported(const Stream& stream, View x) {
  return stream.wants(Path::native) && x.dtype == DType::f32;
}

template <class T>
FRAMEFOLD_INLINE double sum_any(PointwiseLoss loss, Index count, const float* x, const T* t) {
  double sum = 0;
  with_formula<float, VectorMath>(
      loss, [ =, &sum ](auto formula) __attribute__((always_inline)) {
        sum =
            sum_of(count, [=](Index i) { return formula.value(x[i], target_value<float>(t[i])); });
      });
  return sum;
}

template <class T>
FRAMEFOLD_INLINE void dgrad_any(PointwiseLoss loss, float factor, Index count, float* dx,
                                const float* x, const T* t) {
  with_formula<float, VectorMath>(
      loss, [=](auto formula) __attribute__((always_inline)) {
        each(count, [=](Index i) {
          dx[i] = factor * formula.derivative(x[i], target_value<float>(t[i]));
        });
      });
}

FRAMEFOLD_SIMD double sum(PointwiseLoss loss, Index count, const float* x, const float* t) {
  return sum_any(loss, count, x, t);
}
FRAMEFOLD_SIMD double sum(PointwiseLoss loss, Index count, const float* x, const std::uint8_t* t) {
  return sum_any(loss, count, x, t);
}
FRAMEFOLD_SIMD void dgrad(PointwiseLoss loss, float factor, Index count, float* dx, const float* x,
                          const float* t) {
  dgrad_any(loss, factor, count, dx, x, t);
}
FRAMEFOLD_SIMD void dgrad(PointwiseLoss loss, float factor, Index count, float* dx, const float* x,
                          const std::uint8_t* t) {
  dgrad_any(loss, factor, count, dx, x, t);
}

}  // namespace

bool fast::pointwise_loss_forward(const Stream& stream, PointwiseLoss loss, Tensor y,
                                  Workspace workspace, View x, View t) {
  if (!supported(stream, x)) return false;
  with_target<float>(t, [&, in = x.as<float>()](auto* target) {
    const double total = piecewise_sum(
        stream, x.size(), pointwise_grain, workspace,
        [=](Index begin, Index end) { return sum(loss, end - begin, in + begin, target + begin); });
    *y.as<float>() = static_cast<float>(total * weight_of(loss.reduction, x.shape));
  });
  return true;
}

bool fast::pointwise_loss_dgrad(const Stream& stream, PointwiseLoss loss, Tensor dx, View dy,
                                View x, View t) {
  if (!supported(stream, x)) return false;
  const float factor = *dy.as<float>() * static_cast<float>(weight_of(loss.reduction, x.shape));
  with_target<float>(t, [&](auto* target) {
    parallel_loop(
        stream, x.size(), [=](auto... a) { dgrad(loss, factor, a...); }, dx.as<float>(),
        x.as<float>(), target);
  });
  return true;
}

}  // namespace framefold

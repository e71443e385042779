#include "kernels/activity_penalty.h"

#include <algorithm>

#include "kernels/device.h"
#include "kernels/epilogue.h"
#include "kernels/pointwise.h"
#include "kernels/scale.h"

namespace framefold {
namespace {

// [R, C]
Shape rows_of(const Shape& x) { return {x.size() / x[-1], x[-1]}; }

template <class T>
double size_sum(const Stream& stream, ActivityPenalty penalty, Workspace workspace, View x) {
  using A = Accumulator<T>;
  const T* in = x.as<T>();
  if (penalty.kind == ActivityPenalty::l1)
    return parallel_sum(stream, x.size(), workspace,
                        [=](Index i) { return std::fabs(static_cast<A>(in[i])); });
  return parallel_sum(stream, x.size(), workspace, [=](Index i) {
    const auto value = static_cast<A>(in[i]);
    return value * value;
  });
}

template <class T>
double divergence(const Stream& stream, double r, Tensor m, Workspace workspace, View x) {
  using A = Accumulator<T>;
  constexpr double bound = ActivityPenalty::bound;
  const View rows{x.data, x.dtype, rows_of(x.shape)};
  A* mean = m.as<A>();
  std::fill(mean, mean + m.size(), A{0});
  epilogue_backward(stream, Activation::none, {}, m, workspace, rows, {});
  double sum = 0;
  for (Index c = 0; c < m.size(); ++c) {
    const double active = static_cast<double>(mean[c]) / static_cast<double>(rows.shape[0]);
    const double held = std::clamp(active, bound, 1 - bound);
    mean[c] = static_cast<A>(held);
    sum += r * std::log(r / held) + (1 - r) * std::log((1 - r) / (1 - held));
  }
  return sum;
}

// Every row's gradient is the same.
template <class T>
void repeat(const Stream& stream, double factor, double r, Tensor dx, Workspace workspace, View m) {
  using A = Accumulator<T>;
  const Shape extent = rows_of(dx.shape);
  T* row = workspace.take<T>(extent[1]);
  for (Index c = 0; c < extent[1]; ++c) {
    const auto held = static_cast<double>(m.as<A>()[c]);
    row[c] = T(static_cast<A>(factor / static_cast<double>(extent[0]) *
                              ((1 - r) / (1 - held) - r / held)));
  }
  parallel_for(stream, extent[0], 1 + pointwise_grain / extent[1], [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) std::copy(row, row + extent[1], dx.as<T>() + i * extent[1]);
  });
}

}  // namespace

void activity_penalty_forward(const Stream& stream, ActivityPenalty penalty, Tensor y, Tensor m,
                              Workspace workspace, View x) {
  if (on_device(stream))
    return device<&activity_penalty_forward>(stream, penalty, y, m, workspace, x);
  for_float(x.dtype, [&]<class T>(T) {
    double sum = 0;
    if (penalty.kind == ActivityPenalty::sparsity)
      sum = divergence<T>(stream, static_cast<double>(penalty.target), m, workspace, x);
    else if (!fast::activity_penalty_sum(stream, penalty, sum, workspace, x))
      sum = size_sum<T>(stream, penalty, workspace, x);
    const bool weighted = penalty.kind != ActivityPenalty::sparsity;
    const double weight = weighted ? weight_of(penalty.reduction, x.shape) : 1;
    *y.as<Accumulator<T>>() = static_cast<Accumulator<T>>(weight * sum);
  });
}

void activity_penalty_dgrad(const Stream& stream, ActivityPenalty penalty, Tensor dx,
                            Workspace workspace, View dy, View x, View m) {
  if (on_device(stream))
    return device<&activity_penalty_dgrad>(stream, penalty, dx, workspace, dy, x, m);
  for_float(dx.dtype, [&]<class T>(T) {
    using A = Accumulator<T>;
    const auto cotangent = static_cast<double>(*dy.as<A>());
    const double factor = cotangent * weight_of(penalty.reduction, dx.shape);
    switch (penalty.kind) {
      case ActivityPenalty::l1:
        return parallel_each(
            stream, dx.size(),
            [size = static_cast<A>(factor), to = dx.as<T>(), in = x.as<T>()](Index i) {
              const auto value = static_cast<A>(in[i]);
              to[i] = T(value > 0 ? size : (value < 0 ? -size : value));
            });
      case ActivityPenalty::l2: return scale(stream, 2 * factor, 0, dx, x);
      case ActivityPenalty::sparsity:
        return repeat<T>(stream, cotangent, static_cast<double>(penalty.target), dx, workspace, m);
    }
  });
}

Bytes activity_penalty_workspace(const Stream& stream, ActivityPenalty penalty,
                                 const TensorType& x) {
  if (on_device(stream)) return device<&activity_penalty_workspace>(stream, penalty, x);
  if (penalty.kind != ActivityPenalty::sparsity)
    return piecewise_sum_workspace(x.shape.size(), pointwise_grain);
  const Bytes row = Workspace::padded(TensorType{x.dtype, {x.shape[-1]}}.bytes());
  return std::max(row, epilogue_backward_workspace(stream, {x.dtype, rows_of(x.shape)}));
}

}  // namespace framefold

#include "kernels/cross_entropy.h"

#include <algorithm>

#include "kernels/device.h"
#include "kernels/pointwise.h"

namespace framefold {
namespace {

template <class T, class A = Accumulator<T>>
double row_loss(Index width, A& lse, const T* x, const T* t) {
  A most = static_cast<A>(x[0]);
  for (Index c = 1; c < width; ++c) most = std::max(most, static_cast<A>(x[c]));
  A exponentials = 0;
  for (Index c = 0; c < width; ++c) exponentials += std::exp(static_cast<A>(x[c]) - most);
  lse = most + std::log(exponentials);
  double loss = 0;
  for (Index c = 0; c < width; ++c)
    loss += static_cast<double>(static_cast<A>(t[c]) * (lse - static_cast<A>(x[c])));
  return loss;
}

template <class T, class A = Accumulator<T>>
void row_dgrad(Index width, A factor, T* dx, const T* x, const T* t, A lse) {
  A weight = 0;
  for (Index c = 0; c < width; ++c) weight += static_cast<A>(t[c]);
  for (Index c = 0; c < width; ++c)
    dx[c] = T(factor * (std::exp(static_cast<A>(x[c]) - lse) * weight - static_cast<A>(t[c])));
}

}  // namespace

void cross_entropy_forward(const Stream& stream, Tensor y, Tensor lse, Workspace workspace, View x,
                           View t) {
  if (on_device(stream)) return device<&cross_entropy_forward>(stream, y, lse, workspace, x, t);
  if (fast::cross_entropy_forward(stream, y, lse, workspace, x, t)) return;
  const Index width = x.shape[-1];
  const Index rows = lse.size();
  for_float(x.dtype, [&]<class T>(T) {
    using A = Accumulator<T>;
    const auto sum = [&](Index begin, Index end) {
      double loss = 0;
      for (Index r = begin; r < end; ++r)
        loss += row_loss(width, lse.as<A>()[r], x.as<T>() + r * width, t.as<T>() + r * width);
      return loss;
    };
    const double loss = piecewise_sum(stream, rows, cross_entropy_piece(width), workspace, sum);
    *y.as<A>() = static_cast<A>(loss / static_cast<double>(rows));
  });
}

Bytes cross_entropy_workspace(const Stream& stream, const TensorType& x) {
  if (on_device(stream)) return device<&cross_entropy_workspace>(stream, x);
  const Index width = x.shape[-1];
  return piecewise_sum_workspace(x.shape.size() / width, cross_entropy_piece(width));
}

void cross_entropy_dgrad(const Stream& stream, Tensor dx, View dy, View x, View t, View lse) {
  if (on_device(stream)) return device<&cross_entropy_dgrad>(stream, dx, dy, x, t, lse);
  if (fast::cross_entropy_dgrad(stream, dx, dy, x, t, lse)) return;
  const Index width = x.shape[-1];
  for_float(x.dtype, [&]<class T>(T) {
    using A = Accumulator<T>;
    const A factor = *dy.as<A>() / static_cast<A>(lse.size());
    parallel_for(stream, lse.size(), cross_entropy_piece(width), [&](Index begin, Index end) {
      for (Index r = begin; r < end; ++r)
        row_dgrad(width, factor, dx.as<T>() + r * width, x.as<T>() + r * width,
                  t.as<T>() + r * width, lse.as<A>()[r]);
    });
  });
}

}  // namespace framefold

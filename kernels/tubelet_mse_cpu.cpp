#include "kernels/tubelet_mse.h"

#include "kernels/device.h"
#include "kernels/tubelet_targets.h"

namespace framefold {

void tubelet_mse_forward(const Stream& stream, const TubeletMse& mse, Tensor y, Tensor scales,
                         Workspace workspace, View x, View clip, View index) {
  if (on_device(stream))
    return device<&tubelet_mse_forward>(stream, mse, y, scales, workspace, x, clip, index);
  const TubeletTargets targets(mse, x, clip, index);
  if (index) expect_index("tubelet_mse", index, targets.grid.tokens(), "the grid of tubelets");
  const Index channels = targets.grid.channels;
  const Index features = targets.grid.features();
  for_float(x.dtype, [&]<class T>(T) {
    using A = Accumulator<T>;
    const Index count = x.shape[0] * x.shape[1];
    const double sum = piecewise_sum(stream, count, 1, workspace, [&](Index at, Index) {
      A* own = scales.as<A>() + at * 2 * channels;
      targets.measure(mse, at, own, own + channels);
      double squares = 0;
      for_pieces(targets, at, own,
                 [&](Index n, const std::uint8_t* v, Index begin, const A* shift, const A* factor) {
                   const T* from = x.as<T>() + at * features + begin;
                   squares += sum_of(n, [=](Index i) {
                     const A d =
                         static_cast<A>(from[i]) - (static_cast<A>(v[i]) - shift[i]) * factor[i];
                     return d * d;
                   });
                 });
      return squares;
    });
    *y.as<A>() = static_cast<A>(sum / static_cast<double>(std::max<Index>(1, x.size())));
  });
}

Bytes tubelet_mse_workspace(const TensorType& x) {
  return piecewise_sum_workspace(x.shape[0] * x.shape[1], 1);
}

void tubelet_mse_dgrad(const Stream& stream, const TubeletMse& mse, Tensor dx, View dy, View x,
                       View clip, View index, View scales) {
  if (on_device(stream))
    return device<&tubelet_mse_dgrad>(stream, mse, dx, dy, x, clip, index, scales);
  const TubeletTargets targets(mse, x, clip, index);
  const Index channels = targets.grid.channels;
  const Index features = targets.grid.features();
  for_float(x.dtype, [&]<class T>(T) {
    using A = Accumulator<T>;
    const A weight = *dy.as<A>() * A(2.0 / static_cast<double>(std::max<Index>(1, x.size())));
    parallel_for(stream, x.shape[0] * x.shape[1], 1 + pointwise_grain / features,
                 [&](Index first, Index last) {
                   for (Index at = first; at < last; ++at)
                     for_pieces(targets, at, scales.as<A>() + at * 2 * channels,
                                [&](Index n, const std::uint8_t* v, Index begin, const A* shift,
                                    const A* factor) {
                                  const T* from = x.as<T>() + at * features + begin;
                                  T* to = dx.as<T>() + at * features + begin;
                                  each(n, [=](Index i) {
                                    const A t = (static_cast<A>(v[i]) - shift[i]) * factor[i];
                                    to[i] = T(weight * (static_cast<A>(from[i]) - t));
                                  });
                                });
                 });
  });
}

}  // namespace framefold

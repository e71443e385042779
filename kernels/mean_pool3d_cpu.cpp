#include "kernels/mean_pool3d.h"

#include "kernels/device.h"

namespace framefold {
namespace {

// Forward averages windows; backward sums, with the same factor, over the windows that cover.
template <class T>
void average(const Stream& stream, const PoolGeometry& g, bool backward, T* to, const T* from) {
  using A = Accumulator<T>;
  const Extents& extents = backward ? g.in : g.out;
  const Extents& others = backward ? g.out : g.in;
  for_rows(stream, g.batch, extents, g.channels, [&](Index row, Index b, Index t, Index h) {
    const T* sample = from + b * others[0] * others[1] * others[2] * g.channels;
    for (Index w = 0; w < extents[2]; ++w)
      for (Index c = 0; c < g.channels; ++c) {
        A sum = 0;
        const PoolBox box = backward ? g.covering(t, h, w) : g.window(t, h, w);
        box.for_each([&](Index at) { sum += static_cast<A>(sample[at * g.channels + c]); });
        to[(row * extents[2] + w) * g.channels + c] = T(sum / static_cast<A>(g.volume()));
      }
  });
}

}  // namespace

void mean_pool3d_forward(const Stream& stream, const Pool3d& pool, Tensor y, View x) {
  if (on_device(stream)) return device<&mean_pool3d_forward>(stream, pool, y, x);
  if (fast::mean_pool3d_forward(stream, pool, y, x)) return;
  for_float(x.dtype, [&]<class T>(T) {
    average<T>(stream, {pool, x.shape, y.shape}, false, y.as<T>(), x.as<T>());
  });
}

void mean_pool3d_dgrad(const Stream& stream, const Pool3d& pool, Tensor dx, View dy) {
  if (on_device(stream)) return device<&mean_pool3d_dgrad>(stream, pool, dx, dy);
  if (fast::mean_pool3d_dgrad(stream, pool, dx, dy)) return;
  for_float(dx.dtype, [&]<class T>(T) {
    average<T>(stream, {pool, dx.shape, dy.shape}, true, dx.as<T>(), dy.as<T>());
  });
}

}  // namespace framefold

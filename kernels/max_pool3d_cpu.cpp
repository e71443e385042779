#include "kernels/max_pool3d.h"

#include "kernels/device.h"

#include <cmath>

namespace framefold {
namespace {

template <class T>
void forward(const Stream& stream, const PoolGeometry& g, T* y, std::int32_t* argmax, const T* x) {
  const Index positions = g.in[0] * g.in[1] * g.in[2];
  for_rows(stream, g.batch, g.out, g.channels, [&](Index row, Index b, Index t, Index h) {
    const T* sample = x + b * positions * g.channels;
    for (Index w = 0; w < g.out[2]; ++w)
      for (Index c = 0; c < g.channels; ++c) {
        Index best = -1;
        g.window(t, h, w).for_each([&](Index position) {
          const auto value = static_cast<double>(sample[position * g.channels + c]);
          if (best < 0 || value > static_cast<double>(sample[best * g.channels + c]) ||
              std::isnan(value))
            best = position;
        });
        const Index at = (row * g.out[2] + w) * g.channels + c;
        y[at] = sample[best * g.channels + c];
        argmax[at] = static_cast<std::int32_t>(best);
      }
  });
}

template <class T>
void dgrad(const Stream& stream, const PoolGeometry& g, T* dx, const T* dy,
           const std::int32_t* argmax) {
  using A = Accumulator<T>;
  const Index outputs = g.out[0] * g.out[1] * g.out[2];
  for_rows(stream, g.batch, g.in, g.channels, [&](Index row, Index b, Index t, Index h) {
    const Index first = b * outputs * g.channels;
    for (Index w = 0; w < g.in[2]; ++w) {
      const Index position = (t * g.in[1] + h) * g.in[2] + w;
      for (Index c = 0; c < g.channels; ++c) {
        A sum = 0;
        g.covering(t, h, w).for_each([&](Index output) {
          const Index at = first + output * g.channels + c;
          if (argmax[at] == position) sum += static_cast<A>(dy[at]);
        });
        dx[(row * g.in[2] + w) * g.channels + c] = T(sum);
      }
    }
  });
}

}  // namespace

void max_pool3d_forward(const Stream& stream, const Pool3d& pool, Tensor y, Tensor argmax, View x) {
  if (on_device(stream)) return device<&max_pool3d_forward>(stream, pool, y, argmax, x);
  if (fast::max_pool3d_forward(stream, pool, y, argmax, x)) return;
  for_float(x.dtype, [&]<class T>(T) {
    forward<T>(stream, {pool, x.shape, y.shape}, y.as<T>(), argmax.as<std::int32_t>(), x.as<T>());
  });
}

void max_pool3d_dgrad(const Stream& stream, const Pool3d& pool, Tensor dx, View dy, View argmax) {
  if (on_device(stream)) return device<&max_pool3d_dgrad>(stream, pool, dx, dy, argmax);
  if (fast::max_pool3d_dgrad(stream, pool, dx, dy, argmax)) return;
  for_float(dx.dtype, [&]<class T>(T) {
    dgrad<T>(stream, {pool, dx.shape, dy.shape}, dx.as<T>(), dy.as<T>(), argmax.as<std::int32_t>());
  });
}

}  // namespace framefold

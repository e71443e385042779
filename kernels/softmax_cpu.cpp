#include "kernels/device.h"
#include "kernels/softmax.h"

namespace framefold {
namespace {

template <class T>
void forward(const Stream& stream, Index rows, Index width, T* y, const T* x) {
  using A = Accumulator<T>;
  parallel_for(stream, rows, 1, [&](Index begin, Index end) {
    for (Index at = begin * width; at < end * width; at += width) {
      A most = static_cast<A>(x[at]);
      for (Index c = 1; c < width; ++c) most = std::max(most, static_cast<A>(x[at + c]));
      A sum = 0;
      for (Index c = 0; c < width; ++c) sum += std::exp(static_cast<A>(x[at + c]) - most);
      for (Index c = 0; c < width; ++c)
        y[at + c] = T(std::exp(static_cast<A>(x[at + c]) - most) / sum);
    }
  });
}

template <class T>
void dgrad(const Stream& stream, Index rows, Index width, T* dx, const T* dy, const T* y) {
  using A = Accumulator<T>;
  parallel_for(stream, rows, 1, [&](Index begin, Index end) {
    for (Index at = begin * width; at < end * width; at += width) {
      A sum = 0;
      for (Index c = 0; c < width; ++c)
        sum += static_cast<A>(y[at + c]) * static_cast<A>(dy[at + c]);
      for (Index c = 0; c < width; ++c)
        dx[at + c] = T(static_cast<A>(y[at + c]) * (static_cast<A>(dy[at + c]) - sum));
    }
  });
}

}  // namespace

void softmax_forward(const Stream& stream, Tensor y, View x) {
  if (on_device(stream)) return device<&softmax_forward>(stream, y, x);
  if (fast::softmax_forward(stream, y, x)) return;
  for_float(x.dtype, [&]<class T>(T) {
    forward<T>(stream, x.size() / x.shape[-1], x.shape[-1], y.as<T>(), x.as<T>());
  });
}

void softmax_dgrad(const Stream& stream, Tensor dx, View dy, View y) {
  if (on_device(stream)) return device<&softmax_dgrad>(stream, dx, dy, y);
  if (fast::softmax_dgrad(stream, dx, dy, y)) return;
  for_float(y.dtype, [&]<class T>(T) {
    dgrad<T>(stream, y.size() / y.shape[-1], y.shape[-1], dx.as<T>(), dy.as<T>(), y.as<T>());
  });
}

}  // namespace framefold

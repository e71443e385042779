#include "kernels/noise.h"

#include "kernels/device.h"
#include "kernels/pointwise.h"

namespace framefold {

void noise_forward(const Stream& stream, Noise noise, Random random, Tensor y, View x) {
  if (on_device(stream)) return device<&noise_forward>(stream, noise, random, y, x);
  if (fast::noise_forward(stream, noise, random, y, x)) return;
  for_float(x.dtype, [&]<class T>(T) {
    using A = Accumulator<T>;
    parallel_for(stream, x.size(), 1024, [&](Index begin, Index end) {
      for (Index i = begin; i < end; ++i) {
        const A normal = random.normal(static_cast<std::uint64_t>(i));
        const A noisy = static_cast<A>(x.as<T>()[i]) + static_cast<A>(noise.amount) * normal;
        y.as<T>()[i] = T(std::clamp(noisy, static_cast<A>(noise.low), static_cast<A>(noise.high)));
      }
    });
  });
}

void noise_dgrad(const Stream& stream, Noise noise, Tensor dx, View dy, View y) {
  if (on_device(stream)) return device<&noise_dgrad>(stream, noise, dx, dy, y);
  for_float(y.dtype, [&]<class T>(T) {
    using A = Accumulator<T>;
    const A low = noise.low;
    const A high = noise.high;
    parallel_each(stream, y.size(), [=, to = dx.as<T>(), g = dy.as<T>(), at = y.as<T>()](Index i) {
      const A value = static_cast<A>(at[i]);
      to[i] = low < value && value < high ? g[i] : T(A{0});
    });
  });
}

}  // namespace framefold

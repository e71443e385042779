#include "kernels/pixels.h"

#include "kernels/device.h"
#include "kernels/pixel_lines.h"
#include "kernels/pointwise.h"

namespace framefold {

void pixels_forward(const Stream& stream, const Pixels& pixels, Tensor y, View x) {
  if (on_device(stream)) return device<&pixels_forward>(stream, pixels, y, x);
  const Index channels =
      std::max<Index>(1, static_cast<Index>(std::max(pixels.mean.size(), pixels.deviation.size())));
  for_float(y.dtype, [&]<class T>(T) {
    using A = Accumulator<T>;
    const PixelLine<A> factors(pixels, channels);
    parallel_chunks(stream, x.size(), factors.period, [&](Index, Index at, Index count) {
      each(count, [a = factors.slope.data(), b = factors.shift.data(), to = y.as<T>() + at,
                   from = x.as<std::uint8_t>() + at](Index i) {
        to[i] = T(a[i] * static_cast<A>(from[i]) + b[i]);
      });
    });
  });
}

}  // namespace framefold

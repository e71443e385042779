#include "kernels/pixels.h"

#include <array>

#include "kernels/pointwise.h"

namespace framefold {
namespace {

constexpr Index line = 256;  // floats: factors are repeated up to here, so that loops are long

}  // namespace

void pixels_forward(const Stream& stream, const Pixels& pixels, Tensor y, View x) {
  const Index channels =
      std::max<Index>(1, static_cast<Index>(std::max(pixels.mean.size(), pixels.deviation.size())));
  const Index period = line / channels * channels;
  for_float(y.dtype, [&]<class T>(T) {
    using A = Accumulator<T>;
    std::array<A, line> slope;
    std::array<A, line> shift;
    for (std::size_t i = 0; i < line; ++i) {
      const std::size_t c = i % static_cast<std::size_t>(channels);
      const double deviation = pixels.deviation.empty() ? 1.0 : double{pixels.deviation[c]};
      const double mean = pixels.mean.empty() ? 0.0 : double{pixels.mean[c]};
      slope[i] = A(1 / (255 * deviation));
      shift[i] = A(-mean / deviation);
    }
    parallel_chunks(stream, x.size(), period, [&](Index, Index at, Index count) {
      each(count, [a = slope.data(), b = shift.data(), to = y.as<T>() + at,
                   from = x.as<std::uint8_t>() + at](Index i) {
        to[i] = T(a[i] * static_cast<A>(from[i]) + b[i]);
      });
    });
  });
}

}  // namespace framefold

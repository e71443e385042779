#include "kernels/gather_tubelets.h"

#include "kernels/device.h"
#include "kernels/pixel_lines.h"
#include "kernels/pointwise.h"
#include "kernels/tubelets.h"

namespace framefold {

void gather_tubelets(const Stream& stream, const Extents& tubelet, const Pixels& pixels, Tensor y,
                     View clip, View index) {
  if (on_device(stream)) return device<&gather_tubelets>(stream, tubelet, pixels, y, clip, index);
  const TubeletGrid grid(clip.shape, tubelet);
  if (index) expect_index("gather_tubelets", index, grid.tokens(), "the grid of tubelets");
  const Index picks = y.shape[1];
  for_float(y.dtype, [&]<class T>(T) {
    using A = Accumulator<T>;
    const PixelLine<A> factors(pixels, grid.channels);
    const Index grain = 1 + pointwise_grain / grid.features();
    parallel_for(stream, clip.shape[0] * picks, grain, [&](Index begin, Index end) {
      T* to = y.as<T>() + begin * grid.features();
      for (Index at = begin; at < end; ++at) {
        const Index token = index ? Index{index.as<std::int32_t>()[at]} : at % picks;
        const std::uint8_t* sample = clip.as<std::uint8_t>() + at / picks * grid.sample;
        for (Index line = 0; line < grid.lines(); ++line) {
          const std::uint8_t* from = sample + grid.at(token, line);
          for (Index c0 = 0; c0 < grid.line(); c0 += factors.period) {
            const Index count = std::min(factors.period, grid.line() - c0);
            each(count, [to, from, a = factors.slope.data(), b = factors.shift.data()](Index i) {
              to[i] = T(a[i] * static_cast<A>(from[i]) + b[i]);
            });
            to += count;
            from += count;
          }
        }
      }
    });
  });
}

}  // namespace framefold

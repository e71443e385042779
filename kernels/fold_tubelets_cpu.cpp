#include "kernels/fold_tubelets.h"

#include "kernels/device.h"
#include "kernels/pixels.h"
#include "kernels/tubelet_targets.h"

namespace framefold {

void fold_tubelets(const Stream& stream, const TubeletMse& target, Tensor y, View x, View clip,
                   View index) {
  if (on_device(stream)) return device<&fold_tubelets>(stream, target, y, x, clip, index);
  const TubeletTargets targets(target, index, clip, index);
  const TubeletGrid& grid = targets.grid;
  const Index channels = grid.channels;
  expect_index("fold_tubelets", index, grid.tokens(), "the grid of tubelets");
  for_float(x ? x.dtype : y.dtype, [&]<class T>(T) {
    using A = Accumulator<T>;
    parallel_for(stream, clip.shape[0], 1, [&](Index first, Index last) {
      std::array<A, 2 * Pixels::max_channels> scales;
      for (Index b = first; b < last; ++b) {
        A* sample = y.as<A>() + b * grid.sample;
        each(grid.sample, [=, from = clip.as<std::uint8_t>() + b * grid.sample](Index i) {
          sample[i] = static_cast<A>(from[i]) * A(1 / 255.0);
        });
        for (Index at = b * targets.picks; at < (b + 1) * targets.picks; ++at) {
          targets.measure(target, at, scales.data(), scales.data() + channels);
          for_pieces(
              targets, at, scales.data(),
              [&](Index n, const std::uint8_t* v, Index begin, const A* shift, const A* factor) {
                A* to = sample + (v - clip.as<std::uint8_t>() - b * grid.sample);
                const T* from = x ? x.as<T>() + at * grid.features() + begin : nullptr;
                if (from == nullptr)
                  each(n, [=](Index i) { to[i] = A(0.5); });
                else
                  each(n, [=](Index i) {
                    to[i] = (static_cast<A>(from[i]) / factor[i] + shift[i]) * A(1 / 255.0);
                  });
              });
        }
      }
    });
  });
}

}  // namespace framefold

#include "kernels/gather_tubelets.cuh"

#include "kernels/gather_tubelets.h"

namespace framefold {
namespace gpu {
namespace {

void gather_tubelets(const Stream& stream, const Extents& tubelet, const Pixels& pixels, Tensor y,
                     View clip, View index) {
  if (y.size() == 0) return;
  const TubeletGrid grid(clip.shape, tubelet);
  const auto* from = clip.as<std::uint8_t>();
  for_device_float(y.dtype, [&]<class T>(T) {
    const auto run = [&]<int N>(std::integral_constant<int, N>) {
      launch<&gather_tubelet_packs<T, N>>(stream,
                                          {{blocks_of(y.shape[0] * y.shape[1])}, {tubelet_threads}},
                                          grid, PixelFactors(pixels), y.shape[1], y.as<T>(), from,
                                          index ? index.as<std::int32_t>() : nullptr);
    };
    if (aligned(y.as<T>()) && whole_packs(grid, from, pack_of<T>))
      run(std::integral_constant<int, pack_of<T>>{});
    else
      run(std::integral_constant<int, 1>{});
  });
}

const OnDevice<&framefold::gather_tubelets> path(gather_tubelets);

}  // namespace
}  // namespace gpu
}  // namespace framefold

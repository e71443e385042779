#include "kernels/pool3d.cuh"

#include "kernels/max_pool3d.h"

namespace framefold {
namespace gpu {
namespace {

void max_pool3d_forward(const Stream& stream, const Pool3d& pool, Tensor y, Tensor argmax, View x) {
  const PoolGeometry g(pool, x.shape, y.shape);
  auto* numbers = argmax.as<std::int32_t>();
  for_device_float(x.dtype, [&]<class T>(T) {
    with_channel_packs<T>(g.channels, y.size(), aligned(y.as<T>(), x.as<T>(), numbers),
                          [&]<int N>(std::integral_constant<int, N>, Index count) {
                            launch<&max_pool_packs<T, N>>(stream, pool_grid(count), g,
                                                          PoolPlaces(g.out, g.channels, N), count,
                                                          y.as<T>(), numbers, x.as<T>());
                          });
  });
}

void max_pool3d_dgrad(const Stream& stream, const Pool3d& pool, Tensor dx, View dy, View argmax) {
  const PoolGeometry g(pool, dx.shape, dy.shape);
  const auto* numbers = argmax.as<std::int32_t>();
  for_device_float(dx.dtype, [&]<class T>(T) {
    with_channel_packs<T>(g.channels, dx.size(), aligned(dx.as<T>(), dy.as<T>(), numbers),
                          [&]<int N>(std::integral_constant<int, N>, Index count) {
                            launch<&max_pool_dgrad_packs<T, N>>(
                                stream, pool_grid(count), g, PoolPlaces(g.in, g.channels, N),
                                PoolCovering(g), count, dx.as<T>(), dy.as<T>(), numbers);
                          });
  });
}

const OnDevice<&framefold::max_pool3d_forward> forward_path(max_pool3d_forward);
const OnDevice<&framefold::max_pool3d_dgrad> dgrad_path(max_pool3d_dgrad);

}  // namespace
}  // namespace gpu
}  // namespace framefold

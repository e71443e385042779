#include "kernels/pool3d.cuh"

#include "kernels/mean_pool3d.h"

namespace framefold {
namespace gpu {
namespace {

void average(const Stream& stream, const PoolGeometry& g, bool backward, Tensor to, View from) {
  for_device_float(to.dtype, [&]<class T>(T) {
    with_channel_packs<T>(g.channels, to.size(), aligned(to.as<T>(), from.as<T>()),
                          [&]<int N>(std::integral_constant<int, N>, Index count) {
                            launch<&mean_pool_packs<T, N>>(
                                stream, pool_grid(count), g,
                                PoolPlaces(backward ? g.in : g.out, g.channels, N), PoolCovering(g),
                                backward, count, to.as<T>(), from.as<T>());
                          });
  });
}

void mean_pool3d_forward(const Stream& stream, const Pool3d& pool, Tensor y, View x) {
  average(stream, {pool, x.shape, y.shape}, false, y, x);
}

void mean_pool3d_dgrad(const Stream& stream, const Pool3d& pool, Tensor dx, View dy) {
  average(stream, {pool, dx.shape, dy.shape}, true, dx, dy);
}

const OnDevice<&framefold::mean_pool3d_forward> forward_path(mean_pool3d_forward);
const OnDevice<&framefold::mean_pool3d_dgrad> dgrad_path(mean_pool3d_dgrad);

}  // namespace
}  // namespace gpu
}  // namespace framefold

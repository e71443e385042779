#include "kernels/upsample3d.cuh"

namespace framefold {
namespace gpu {
namespace {

void resample(const Stream& stream, Upsampling kind, bool backward, Tensor to, View from) {
  const Extents to_extents{to.shape[1], to.shape[2], to.shape[3]};
  const Extents from_extents{from.shape[1], from.shape[2], from.shape[3]};
  const Extents& in = backward ? to_extents : from_extents;
  const Extents& out = backward ? from_extents : to_extents;
  const ResampleLines lines{{kind, in[0], out[0]}, {kind, in[1], out[1]}, {kind, in[2], out[2]}};
  const Index channels = to.shape[4];
  for_device_float(to.dtype, [&]<class T>(T) {
    with_channel_packs<T>(channels, to.size(), aligned(to.as<T>(), from.as<T>()),
                          [&]<int N>(std::integral_constant<int, N>, Index count) {
                            launch<&resample_packs<T, N>>(stream, pool_grid(count), lines,
                                                          PoolPlaces(to_extents, channels, N),
                                                          backward, from_extents, channels, count,
                                                          to.as<T>(), from.as<T>());
                          });
  });
}

void upsample3d_forward(const Stream& stream, Upsampling kind, Tensor y, Workspace, View x) {
  resample(stream, kind, false, y, x);
}

void upsample3d_dgrad(const Stream& stream, Upsampling kind, Tensor dx, Workspace, View dy) {
  resample(stream, kind, true, dx, dy);
}

Bytes upsample3d_workspace(const Stream&, const Shape&, const Shape&) { return 0; }

const OnDevice<&framefold::upsample3d_forward> forward_path(upsample3d_forward);
const OnDevice<&framefold::upsample3d_dgrad> dgrad_path(upsample3d_dgrad);
const OnDevice<&framefold::upsample3d_workspace> workspace_path(upsample3d_workspace);

}  // namespace
}  // namespace gpu
}  // namespace framefold

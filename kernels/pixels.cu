#include "kernels/pixels.cuh"

#include "kernels/device/map.cuh"

namespace framefold {
namespace gpu {
namespace {

void pixels_forward(const Stream& stream, const Pixels& pixels, Tensor y, View x) {
  for_device_float(y.dtype, [&]<class T>(T) {
    map(stream, PixelFactors(pixels), x.size(), y.as<T>(), x.as<std::uint8_t>());
  });
}

const OnDevice<&framefold::pixels_forward> forward_path(pixels_forward);

}  // namespace
}  // namespace gpu
}  // namespace framefold

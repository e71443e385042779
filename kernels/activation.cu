#include "kernels/activation.cuh"

namespace framefold {
namespace gpu {
namespace {

void activation_forward(const Stream& stream, Activation activation, Tensor y, View x) {
  for_device_float(x.dtype, [&]<class T>(T) {
    map(stream, Activate{activation}, x.size(), y.as<T>(), x.as<T>());
  });
}

void activation_dgrad(const Stream& stream, Activation activation, Tensor dx, View dy, View from) {
  for_device_float(dy.dtype, [&]<class T>(T) {
    map(stream, ActivateGradient{activation}, dy.size(), dx.as<T>(), dy.as<T>(), from.as<T>());
  });
}

const OnDevice<&framefold::activation_forward> forward_path(activation_forward);
const OnDevice<&framefold::activation_dgrad> dgrad_path(activation_dgrad);

}  // namespace
}  // namespace gpu
}  // namespace framefold

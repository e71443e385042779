#include "kernels/pointwise_loss.h"

#include "kernels/device/formula.cuh"
#include "kernels/device/total.cuh"
#include "kernels/pointwise_loss_formula.h"

namespace framefold {
namespace gpu {
namespace {

struct LossTerm {
  PointwiseLoss loss;
  float target_scale;  // pixels stand for a fraction of 255

  __device__ __forceinline__ float operator()(float x, float t) const {
    float y = 0;
    with_formula<float, DeviceMath>(loss,
                                    [&](auto formula) { y = formula.value(x, t * target_scale); });
    return y;
  }
};

struct LossGradient {
  PointwiseLoss loss;
  float target_scale;
  const float* dy;
  float weight;

  __device__ __forceinline__ float operator()(Index, float x, float t) const {
    float slope = 0;
    with_formula<float, DeviceMath>(
        loss, [&](auto formula) { slope = formula.derivative(x, t * target_scale); });
    return *dy * weight * slope;
  }
};

float scale_of_target(View t) { return t.dtype == DType::u8 ? 1.0F / 255 : 1.0F; }

void pointwise_loss_forward(const Stream& stream, PointwiseLoss loss, Tensor y, Workspace workspace,
                            View x, View t) {
  for_device_float(x.dtype, [&]<class T>(T) {
    with_target<T>(t, [&](auto* target) {
      sum_elements(stream, LossTerm{loss, scale_of_target(t)}, x.size(), y.as<float>(),
                   weight_of(loss.reduction, x.shape), workspace, x.as<T>(), target);
    });
  });
}

void pointwise_loss_dgrad(const Stream& stream, PointwiseLoss loss, Tensor dx, View dy, View x,
                          View t) {
  const LossGradient gradient{loss, scale_of_target(t), dy.as<float>(),
                              static_cast<float>(weight_of(loss.reduction, x.shape))};
  for_device_float(x.dtype, [&]<class T>(T) {
    with_target<T>(
        t, [&](auto* target) { map(stream, gradient, x.size(), dx.as<T>(), x.as<T>(), target); });
  });
}

const OnDevice<&framefold::pointwise_loss_forward> forward_path(pointwise_loss_forward);
const OnDevice<&framefold::pointwise_loss_dgrad> dgrad_path(pointwise_loss_dgrad);

}  // namespace
}  // namespace gpu
}  // namespace framefold

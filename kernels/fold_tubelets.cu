#include "kernels/fold_tubelets.cuh"

#include "kernels/fold_tubelets.h"

namespace framefold {
namespace gpu {
namespace {

void fold_tubelets(const Stream& stream, const TubeletMse& target, Tensor y, View x, View clip,
                   View index) {
  framefold::pixels_forward(stream, {}, y, clip);
  if (index.size() == 0) return;
  for_device_float(x ? x.dtype : DType::f32, [&]<class T>(T) {
    launch<&fold_tubelet<T>>(stream, {{blocks_of(index.size())}, {total_threads}},
                             TubeletGrid(clip.shape, target.tubelet), target.normalize, target.eps,
                             index.shape[1], y.as<float>(), x ? x.as<T>() : nullptr,
                             clip.as<std::uint8_t>(), index.as<std::int32_t>());
  });
}

const OnDevice<&framefold::fold_tubelets> path(fold_tubelets);

}  // namespace
}  // namespace gpu
}  // namespace framefold

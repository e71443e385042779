#include "kernels/check.h"
#include "kernels/pool3d.h"

namespace framefold {

TensorType pool3d_type(std::string_view op, const Pool3d& pool, const TensorType& x) {
  expect_clip(op, x);
  TensorType y = x;
  for (int axis = 0; axis < 3; ++axis) {
    const auto a = static_cast<std::size_t>(axis);
    const Index kernel = pool.kernel[a];
    const Index padding = pool.padding[a];
    const Index reach = x.shape[axis + 1] + 2 * padding - kernel;
    if (kernel < 1 || pool.stride[a] < 1 || padding < 0 || 2 * padding > kernel)
      fail(ErrorCode::argument, op, ": kernel ", kernel, ", stride ", pool.stride[a],
           " and padding ", padding, " along ", "THW"[axis],
           ", expected kernel and stride of at least 1 and a padding of at most half the kernel");
    if (reach < 0)
      fail(ErrorCode::shape, op, ": kernel ", kernel, " is longer than axis ", "THW"[axis],
           " of x ", x.shape, " with padding ", padding);
    y.shape[axis + 1] = reach / pool.stride[a] + 1;
  }
  return y;
}

}  // namespace framefold

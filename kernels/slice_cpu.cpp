#include "kernels/copy.h"
#include "kernels/slice.h"

namespace framefold {

void slice_forward(const Stream& stream, Tensor y, View x, int axis, Index begin) {
  const AxisSplit whole(x.shape, axis);
  const Index step = whole.inner * static_cast<Index>(size_of(x.dtype));
  const Index part = y.shape[axis] * step;
  copy_blocks(stream, y.data, part, static_cast<const std::byte*>(x.data) + begin * step,
              whole.extent * step, part, whole.outer);
}

void slice_dgrad(const Stream& stream, Tensor dx, View dy, int axis, Index begin) {
  const AxisSplit whole(dx.shape, axis);
  const Index step = whole.inner * static_cast<Index>(size_of(dx.dtype));
  place_blocks(stream, dx.data, whole.extent * step, begin * step, dy.data, dy.shape[axis] * step,
               whole.outer);
}

}  // namespace framefold

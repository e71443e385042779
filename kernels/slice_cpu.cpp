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
  const Index stride = whole.extent * step;
  const Index head = begin * step;
  const Index part = dy.shape[axis] * step;
  auto* to = static_cast<std::byte*>(dx.data);
  zero_blocks(stream, to, stride, head, whole.outer);
  copy_blocks(stream, to + head, stride, dy.data, part, part, whole.outer);
  zero_blocks(stream, to + head + part, stride, stride - head - part, whole.outer);
}

}  // namespace framefold

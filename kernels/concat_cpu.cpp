#include "kernels/concat.h"

#include "kernels/copy.h"
#include "kernels/slice.h"

namespace framefold {

void concat_forward(const Stream& stream, Tensor y, std::span<const Tensor> x, int axis) {
  const AxisSplit whole(y.shape, axis);
  const Index step = whole.inner * static_cast<Index>(size_of(y.dtype));
  auto* to = static_cast<std::byte*>(y.data);
  for (const Tensor& part : x) {
    const Index bytes = part.shape[axis] * step;
    copy_blocks(stream, to, whole.extent * step, part.data, bytes, bytes, whole.outer);
    to += bytes;
  }
}

void concat_dgrad(const Stream& stream, std::span<const Tensor> dx, View dy, int axis) {
  Index begin = 0;
  for (const Tensor& part : dx) {
    if (part) slice_forward(stream, part, dy, axis, begin);
    begin += part.shape[axis];
  }
}

}  // namespace framefold

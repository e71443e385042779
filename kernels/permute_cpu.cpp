#include "kernels/permute.h"

#include "kernels/copy.h"
#include "kernels/device.h"

namespace framefold {

PermutedAxes::PermutedAxes(const Shape& x, std::span<const int> order) {
  for (const int axis : order) {
    Index step = 1;
    for (int a = axis + 1; a < x.rank(); ++a) step *= x[a];
    if (x[axis] == 1) continue;
    if (count > 0 && axes[count - 1].step == x[axis] * step)
      axes[count - 1] = {axes[count - 1].extent * x[axis], step};
    else
      axes[count++] = {x[axis], step};
  }
  if (count == 0) axes[count++] = {1, 1};
}

bool permute_is_alias(const Shape& x, std::span<const int> axes) {
  return PermutedAxes(x, axes).count == 1;
}

namespace {

template <class Element>
void forward(const Stream& stream, Element* y, Index size, const Element* x,
             const PermutedAxes& permuted) {
  parallel_for(stream, size, 1, [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) y[i] = x[permuted.position(i, permuted.count)];
  });
}

}  // namespace

void permute_forward(const Stream& stream, Tensor y, View x, std::span<const int> axes) {
  if (on_device(stream)) return device<&permute_forward>(stream, y, x, axes);
  if (fast::permute_forward(stream, y, x, axes)) return;
  const auto run = [&]<class Element>(Element) {
    forward(stream, static_cast<Element*>(y.data), y.size(), static_cast<const Element*>(x.data),
            PermutedAxes(x.shape, axes));
  };
  for_element(x.dtype, run);
}

void permute_dgrad(const Stream& stream, Tensor dx, View dy, std::span<const int> axes) {
  std::array<int, Shape::max_rank> inverse{};
  for (std::size_t k = 0; k < axes.size(); ++k)
    inverse[static_cast<std::size_t>(axes[k])] = static_cast<int>(k);
  permute_forward(stream, dx, dy, std::span(inverse).first(axes.size()));
}

}  // namespace framefold

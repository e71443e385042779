#include "kernels/reduce.h"

#include "kernels/device.h"
#include "kernels/permute.h"

namespace framefold {
namespace {

double scale_of(Reduction kind, View x, View y) {
  return kind == Reduction::sum ? 1 : static_cast<double>(y.size()) / static_cast<double>(x.size());
}

// The elements of x, those of one sum side by side.
PermutedAxes by_sum(const Shape& x, std::span<const int> axes) {
  std::array<int, Shape::max_rank> order{};
  auto end = order.begin();
  for (int axis = 0; axis < x.rank(); ++axis)
    if (std::find(axes.begin(), axes.end(), axis) == axes.end()) *end++ = axis;
  end = std::copy(axes.begin(), axes.end(), end);
  return {x, {order.begin(), end}};
}

template <class T, class Body>
void for_sums(const Stream& stream, View x, View y, std::span<const int> axes, Body&& body) {
  const PermutedAxes elements = by_sum(x.shape, axes);
  const Index terms = x.size() / y.size();
  parallel_for(stream, y.size(), 1, [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i)
      body(i, terms,
           [&](Index term) { return elements.position(i * terms + term, elements.count); });
  });
}

}  // namespace

void reduce_forward(const Stream& stream, Reduction kind, Tensor y, Workspace workspace, View x,
                    std::span<const int> axes) {
  if (on_device(stream)) return device<&reduce_forward>(stream, kind, y, workspace, x, axes);
  const double scale = scale_of(kind, x, y);
  if (fast::reduce_forward(stream, scale, y, workspace, x, axes)) return;
  for_float(x.dtype, [&]<class T>(T) {
    using A = Accumulator<T>;
    for_sums<T>(stream, x, y, axes, [&](Index i, Index terms, auto position) {
      A sum = 0;
      for (Index term = 0; term < terms; ++term) sum += static_cast<A>(x.as<T>()[position(term)]);
      y.as<T>()[i] = T(sum * static_cast<A>(scale));
    });
  });
}

void reduce_dgrad(const Stream& stream, Reduction kind, Tensor dx, View dy,
                  std::span<const int> axes) {
  if (on_device(stream)) return device<&reduce_dgrad>(stream, kind, dx, dy, axes);
  const double scale = scale_of(kind, dx, dy);
  if (fast::reduce_dgrad(stream, scale, dx, dy, axes)) return;
  for_float(dx.dtype, [&]<class T>(T) {
    using A = Accumulator<T>;
    for_sums<T>(stream, dx, dy, axes, [&](Index i, Index terms, auto position) {
      const T share = T(static_cast<A>(dy.as<T>()[i]) * static_cast<A>(scale));
      for (Index term = 0; term < terms; ++term) dx.as<T>()[position(term)] = share;
    });
  });
}

}  // namespace framefold

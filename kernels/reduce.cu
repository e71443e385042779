#include "kernels/reduce.cuh"

#include <algorithm>

#include "kernels/add.cuh"
#include "kernels/device/map.cuh"
#include "kernels/reduce.h"

namespace framefold {
namespace gpu {
namespace {

bool among(std::span<const int> axes, int axis) {
  return std::find(axes.begin(), axes.end(), axis) != axes.end();
}

bool neighbours(std::span<const int> axes) {
  return axes.back() - axes.front() + 1 == static_cast<int>(axes.size());
}

ColumnExtent extent_of(const Shape& x, std::span<const int> axes) {
  ColumnExtent extent{1, 1, 1};
  for (int axis = 0; axis < x.rank(); ++axis)
    (axis < axes.front()  ? extent.samples
     : axis > axes.back() ? extent.columns
                          : extent.rows) *= x[axis];
  return extent;
}

float scale_of(Reduction kind, const Shape& x, const Shape& y) {
  if (kind == Reduction::sum) return 1;
  return static_cast<float>(static_cast<double>(y.size()) / static_cast<double>(x.size()));
}

// The axes of x that stay, then those that are summed, with their steps in x.
WordAxes by_sum(const Shape& x, std::span<const int> axes) {
  WordAxes order{};
  for (const bool summed : {false, true})
    for (int axis = 0; axis < x.rank(); ++axis) {
      if (among(axes, axis) != summed) continue;
      order.extent[order.count] = x[axis];
      order.step[order.count] = 1;
      for (int inner = axis + 1; inner < x.rank(); ++inner) order.step[order.count] *= x[inner];
      ++order.count;
    }
  return order;
}

// The axes of x with their steps in y, 0 where summed.
WordAxes steps_in_sums(const Shape& x, std::span<const int> axes) {
  WordAxes order{};
  order.count = x.rank();
  Index step = 1;
  for (int axis = x.rank() - 1; axis >= 0; --axis) {
    order.extent[axis] = x[axis];
    order.step[axis] = among(axes, axis) ? 0 : step;
    if (!among(axes, axis)) step *= x[axis];
  }
  return order;
}

void reduce_forward(const Stream& stream, Reduction kind, Tensor y, Workspace workspace, View x,
                    std::span<const int> axes) {
  if (y.size() == 0) return;
  const float scale = scale_of(kind, x.shape, y.shape);
  for_device_float(x.dtype, [&]<class T>(T) {
    const T* from = x.as<T>();
    if (!neighbours(axes)) {
      const Grid grid{{blocks_of(y.size())}, {reduce_threads}};
      return launch<&reduce_scattered<T>>(stream, grid, by_sum(x.shape, axes), x.size() / y.size(),
                                          scale, y.as<T>(), from);
    }
    const ColumnExtent extent = extent_of(x.shape, axes);
    const StoreColumns<T> store{y.as<T>(), extent.columns, scale};
    if (aligned(from) && extent.columns % pack_of<T> == 0)
      sum_columns(stream, RowTerms<T, pack_of<T>>{from, extent.columns}, store, extent, workspace);
    else
      sum_columns(stream, RowTerms<T, 1>{from, extent.columns}, store, extent, workspace);
  });
}

void reduce_dgrad(const Stream& stream, Reduction kind, Tensor dx, View dy,
                  std::span<const int> axes) {
  const float scale = scale_of(kind, dx.shape, dy.shape);
  for_device_float(dx.dtype, [&]<class T>(T) {
    map(stream, SpreadGradient<T>{steps_in_sums(dx.shape, axes), scale, dy.as<T>()}, dx.size(),
        dx.as<T>());
  });
}

Bytes reduce_forward_workspace(const Stream&, const TensorType& x, std::span<const int> axes) {
  return neighbours(axes) ? column_workspace(extent_of(x.shape, axes), 1) : 0;
}

const OnDevice<&framefold::reduce_forward> forward_path(reduce_forward);
const OnDevice<&framefold::reduce_dgrad> dgrad_path(reduce_dgrad);
const OnDevice<&framefold::reduce_forward_workspace> workspace_path(reduce_forward_workspace);

}  // namespace
}  // namespace gpu
}  // namespace framefold

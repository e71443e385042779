#include "kernels/add.cuh"

#include "kernels/add.h"
#include "kernels/copy.h"

namespace framefold {
namespace gpu {
namespace {

// [rows, columns]: the axes that b repeats over, and b's.
ColumnExtent rows_of(const Shape& x, const Shape& b) {
  return {1, b.size() == 0 ? 0 : x.size() / b.size(), b.size()};
}

void add_forward(const Stream& stream, Tensor y, View x, View b) {
  for_device_float(x.dtype, [&]<class T>(T) {
    if (x.shape == b.shape) return map(stream, Sum{}, x.size(), y.as<T>(), x.as<T>(), b.as<T>());
    map_columns(stream, AddBias{b.as<float>()}, rows_of(x.shape, b.shape), y.as<T>(), x.as<T>());
  });
}

void add_wgrad(const Stream& stream, Tensor db, Workspace workspace, View dy) {
  const ColumnExtent extent = rows_of(dy.shape, db.shape);
  for_device_float(dy.dtype, [&]<class T>(T) {
    const AddColumns add{{db.as<float>(), nullptr}};
    const T* from = dy.as<T>();
    if (aligned(from) && extent.columns % pack_of<T> == 0)
      sum_columns(stream, RowTerms<T, pack_of<T>>{from, extent.columns}, add, extent, workspace);
    else
      sum_columns(stream, RowTerms<T, 1>{from, extent.columns}, add, extent, workspace);
  });
}

Bytes add_wgrad_workspace(const Stream&, const TensorType& b, const TensorType& x) {
  return column_workspace(rows_of(x.shape, b.shape), 1);
}

void add_dgrad(const Stream& stream, Tensor dx, View dy) {
  if (dx.data == dy.data) return;
  const auto bytes = static_cast<Index>(dy.bytes());
  framefold::copy_blocks(stream, dx.data, bytes, dy.data, bytes, bytes, 1);
}

const OnDevice<&framefold::add_forward> forward_path(add_forward);
const OnDevice<&framefold::add_dgrad> dgrad_path(add_dgrad);
const OnDevice<&framefold::add_wgrad> wgrad_path(add_wgrad);
const OnDevice<&framefold::add_wgrad_workspace> workspace_path(add_wgrad_workspace);

}  // namespace
}  // namespace gpu
}  // namespace framefold

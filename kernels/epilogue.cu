#include "kernels/epilogue.cuh"

#include "kernels/epilogue.h"

namespace framefold {
namespace gpu {
namespace {

ColumnExtent columns_of(const Shape& y) { return {1, y[-1] == 0 ? 0 : y.size() / y[-1], y[-1]}; }

void epilogue_backward(const Stream& stream, Activation activation, Tensor dz, Tensor dbias,
                       Workspace workspace, View dy, View y) {
  const ColumnExtent extent = columns_of(dy.shape);
  const bool fused = activation.kind != Activation::none;
  for_device_float(dy.dtype, [&]<class T>(T) {
    const T* from = fused ? y.as<T>() : nullptr;
    const T* g = dy.as<T>();
    T* to = fused && dz ? dz.as<T>() : nullptr;
    if (!dbias) {
      if (to) map(stream, ActivateGradient{activation}, dy.size(), to, g, from);
      return;
    }
    const auto run = [&]<int N>(std::integral_constant<int, N>) {
      sum_columns(stream, EpilogueTerms<T, N>{activation, to, g, from, extent.columns},
                  AddColumns{{dbias.as<float>(), nullptr}}, extent, workspace);
    };
    if (aligned(to, g, from) && extent.columns % pack_of<T> == 0)
      run(std::integral_constant<int, pack_of<T>>{});
    else
      run(std::integral_constant<int, 1>{});
  });
}

Bytes epilogue_backward_workspace(const Stream&, const TensorType& y) {
  return column_workspace(columns_of(y.shape), 1);
}

const OnDevice<&framefold::epilogue_backward> path(epilogue_backward);
const OnDevice<&framefold::epilogue_backward_workspace> workspace_path(epilogue_backward_workspace);

}  // namespace
}  // namespace gpu
}  // namespace framefold

#include "kernels/layer_norm.cuh"

#include "kernels/layer_norm.h"

namespace framefold {
namespace gpu {
namespace {

struct Extent {
  Index rows, width;
};

Extent extent_of(const Shape& x) { return {x.size() / x[-1], x[-1]}; }

void layer_norm_forward(const Stream& stream, LayerNorm norm, Tensor y, Tensor mean, Tensor rstd,
                        View x, View gamma, View beta, Tensor sum, View b) {
  const auto [rows, C] = extent_of(x.shape);
  if (rows == 0) return;
  for_device_float(x.dtype, [&, rows = rows, C = C]<class T>(T) {
    T* to = y.as<T>();
    const T* from = x.as<T>();
    const float* scale = gamma.as<float>();
    const float* shift = beta.as<float>();
    T* summed = b ? sum.as<T>() : nullptr;
    const T* other = b ? b.as<T>() : nullptr;
    with_row_plan<T>(C, aligned(to, from, scale, shift, summed, other), [&]<class Plan>(Plan plan) {
      launch<&layer_norm_rows<T, Plan>>(stream, grid_of_rows(plan, rows), norm.eps, rows, C, to,
                                        mean.as<float>(), rstd.as<float>(), from, scale, shift,
                                        summed, other);
    });
  });
}

void layer_norm_dgrad(const Stream& stream, Tensor dx, View dy, View x, View mean, View rstd,
                      View gamma, Tensor db, View dsum) {
  const auto [rows, C] = extent_of(x.shape);
  if (rows == 0) return;
  for_device_float(x.dtype, [&, rows = rows, C = C]<class T>(T) {
    T* to = dx.as<T>();
    const T* g = dy.as<T>();
    const T* from = x.as<T>();
    const float* scale = gamma.as<float>();
    T* also = db ? db.as<T>() : nullptr;
    const T* beside = dsum ? dsum.as<T>() : nullptr;
    with_row_plan<T>(C, aligned(to, g, from, scale, also, beside), [&]<class Plan>(Plan plan) {
      launch<&layer_norm_dgrad_rows<T, Plan>>(stream, grid_of_rows(plan, rows), rows, C, to, g,
                                              from, mean.as<float>(), rstd.as<float>(), scale, also,
                                              beside);
    });
  });
}

ColumnExtent columns_of(const Shape& x) { return {1, x.size() / x[-1], x[-1]}; }

void layer_norm_wgrad(const Stream& stream, Tensor dgamma, Tensor dbeta, Workspace workspace,
                      View dy, View x, View mean, View rstd) {
  const ColumnExtent extent = columns_of(x.shape);
  for_device_float(x.dtype, [&]<class T>(T) {
    const T* g = dy.as<T>();
    const T* from = x.as<T>();
    const auto run = [&]<int N>(std::integral_constant<int, N>) {
      sum_columns(stream,
                  LayerNormTerms<T, N>{g, from, mean.as<float>(), rstd.as<float>(), extent.columns},
                  AddColumns{{dgamma.as<float>(), dbeta.as<float>()}}, extent, workspace);
    };
    if (aligned(g, from) && extent.columns % pack_of<T> == 0)
      run(std::integral_constant<int, pack_of<T>>{});
    else
      run(std::integral_constant<int, 1>{});
  });
}

Bytes layer_norm_wgrad_workspace(const Stream&, const TensorType& x) {
  return column_workspace(columns_of(x.shape), 2);
}

const OnDevice<&framefold::layer_norm_forward> forward_path(layer_norm_forward);
const OnDevice<&framefold::layer_norm_dgrad> dgrad_path(layer_norm_dgrad);
const OnDevice<&framefold::layer_norm_wgrad> wgrad_path(layer_norm_wgrad);
const OnDevice<&framefold::layer_norm_wgrad_workspace> workspace_path(layer_norm_wgrad_workspace);

}  // namespace
}  // namespace gpu
}  // namespace framefold

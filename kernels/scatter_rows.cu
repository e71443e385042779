#include "kernels/scatter_rows.cuh"

#include "kernels/scatter_rows.h"

namespace framefold {
namespace gpu {
namespace {

Index width_of(const Shape& y) { return y.size() / (y[0] * y[1]); }

template <bool back>
void scatter(const Stream& stream, Tensor to, View from, View source, Index picks, View token) {
  if (source.size() == 0) return;
  const Index width = width_of(back ? from.shape : to.shape);
  for_device_float(to.dtype, [&]<class T>(T) {
    const float* base = token ? token.as<float>() : nullptr;
    const auto run = [&]<int N>(std::integral_constant<int, N>) {
      const Index packs = width / N;
      launch<&scatter_packs<T, N, back>>(
          stream, {{blocks_of(divide_up(source.size() * packs, 256))}, {256}}, packs,
          source.shape[1], picks, source.size(), to.as<T>(), from.as<T>(),
          source.as<std::int32_t>(), base);
    };
    if (aligned(to.as<T>(), from.as<T>(), base) && width % pack_of<T> == 0)
      run(std::integral_constant<int, pack_of<T>>{});
    else
      run(std::integral_constant<int, 1>{});
  });
}

void scatter_rows_forward(const Stream& stream, Tensor y, Tensor source, View x, View index,
                          View token) {
  if (source.size() == 0) return;
  const Index picks = index.shape[1];
  launch<&find_sources>(stream, {{blocks_of(divide_up(source.size(), 256))}, {256}},
                        source.shape[1], picks, source.size(), source.as<std::int32_t>(),
                        index.as<std::int32_t>());
  scatter<false>(stream, y, x, source, picks, token);
}

void scatter_rows_dgrad(const Stream& stream, Tensor dx, View dy, View source) {
  scatter<true>(stream, dx, dy, source, dx.shape[1], {});
}

ColumnExtent columns_of(const Shape& y) { return {1, y[0] * y[1], width_of(y)}; }

void scatter_rows_wgrad(const Stream& stream, Tensor dtoken, Workspace workspace, View dy,
                        View source) {
  const ColumnExtent extent = columns_of(dy.shape);
  for_device_float(dy.dtype, [&]<class T>(T) {
    const AddColumns add{{dtoken.as<float>(), nullptr}};
    const T* from = dy.as<T>();
    const auto* taken = source.as<std::int32_t>();
    if (aligned(from) && extent.columns % pack_of<T> == 0)
      sum_columns(stream, TokenTerms<T, pack_of<T>>{from, taken, extent.columns}, add, extent,
                  workspace);
    else
      sum_columns(stream, TokenTerms<T, 1>{from, taken, extent.columns}, add, extent, workspace);
  });
}

Bytes scatter_rows_wgrad_workspace(const Stream&, const TensorType& y) {
  return column_workspace(columns_of(y.shape), 1);
}

const OnDevice<&framefold::scatter_rows_forward> forward_path(scatter_rows_forward);
const OnDevice<&framefold::scatter_rows_dgrad> dgrad_path(scatter_rows_dgrad);
const OnDevice<&framefold::scatter_rows_wgrad> wgrad_path(scatter_rows_wgrad);
const OnDevice<&framefold::scatter_rows_wgrad_workspace> workspace_path(
    scatter_rows_wgrad_workspace);

}  // namespace
}  // namespace gpu
}  // namespace framefold

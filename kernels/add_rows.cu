#include "kernels/add_rows.cuh"

#include "kernels/add_rows.h"
#include "kernels/copy.h"

namespace framefold {
namespace gpu {
namespace {

RowNumbers numbers_of(View index, View masked) {
  return {index.shape[1], masked ? masked.shape[1] : 0, index.as<std::int32_t>(),
          masked ? masked.as<std::int32_t>() : nullptr};
}

template <class T, class Run>
void with_pack(bool packs, Run&& run) {
  if (packs)
    run(std::integral_constant<int, pack_of<T>>{});
  else
    run(std::integral_constant<int, 1>{});
}

void add_rows_forward(const Stream& stream, Tensor y, View x, View table, View index, View masked,
                      View token) {
  if (y.size() == 0) return;
  const Index width = y.shape[2];
  for_device_float(x.dtype, [&]<class T>(T) {
    const float* positions = table.as<float>();
    const float* stand_in = token ? token.as<float>() : nullptr;
    const auto run = [&]<int N>(std::integral_constant<int, N>) {
      const Index count = y.size() / N;
      launch<&add_rows_packs<T, N>>(stream, {{blocks_of(divide_up(count, voters))}, {voters}},
                                    numbers_of(index, token ? masked : View()), table.shape[0],
                                    width / N, count, y.as<T>(), x.as<T>(), positions, stand_in);
    };
    with_pack<T>(aligned(y.as<T>(), x.as<T>(), positions, stand_in) && width % pack_of<T> == 0,
                 run);
  });
}

void add_rows_dgrad(const Stream& stream, Tensor dx, View dy) {
  const auto row = dy.shape[2] * static_cast<Index>(size_of(dy.dtype));
  const Index given = dx.shape[1] * row;
  framefold::copy_blocks(stream, dx.data, given, dy.data, dy.shape[1] * row, given, dx.shape[0]);
}

void add_rows_wgrad_table(const Stream& stream, Tensor dtable, View dy, View index, View masked) {
  if (dtable.size() == 0) return;
  const Index width = dy.shape[2];
  for_device_float(dy.dtype, [&]<class T>(T) {
    const auto run = [&]<int N>(std::integral_constant<int, N>) {
      const auto columns = static_cast<unsigned>(divide_up(width, Index{voters} * N));
      launch<&add_rows_table<T, N>>(stream, {{blocks_of(dtable.shape[0]), columns}, {voters}},
                                    numbers_of(index, masked), dy.shape[0] * dy.shape[1], width,
                                    dtable.as<float>(), dy.as<T>());
    };
    with_pack<T>(aligned(dtable.as<float>(), dy.as<T>()) && width % pack_of<T> == 0, run);
  });
}

ColumnExtent last_rows(const Shape& dy, Index given) { return {1, dy[0] * (dy[1] - given), dy[2]}; }

void add_rows_wgrad_token(const Stream& stream, Tensor dtoken, Workspace workspace, View dy,
                          Index given) {
  const ColumnExtent extent = last_rows(dy.shape, given);
  const Index left = dy.shape[1] - given;
  for_device_float(dy.dtype, [&]<class T>(T) {
    const auto run = [&]<int N>(std::integral_constant<int, N>) {
      sum_columns(stream, LastRowTerms<T, N>{dy.as<T>(), given, left, extent.columns},
                  AddColumns{{dtoken.as<float>(), nullptr}}, extent, workspace);
    };
    with_pack<T>(aligned(dy.as<T>()) && extent.columns % pack_of<T> == 0, run);
  });
}

Bytes add_rows_wgrad_token_workspace(const Stream&, const TensorType& dy, Index given) {
  return column_workspace(last_rows(dy.shape, given), 1);
}

const OnDevice<&framefold::add_rows_forward> forward_path(add_rows_forward);
const OnDevice<&framefold::add_rows_dgrad> dgrad_path(add_rows_dgrad);
const OnDevice<&framefold::add_rows_wgrad_table> table_path(add_rows_wgrad_table);
const OnDevice<&framefold::add_rows_wgrad_token> token_path(add_rows_wgrad_token);
const OnDevice<&framefold::add_rows_wgrad_token_workspace> space(add_rows_wgrad_token_workspace);

}  // namespace
}  // namespace gpu
}  // namespace framefold

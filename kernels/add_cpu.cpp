#include "kernels/add.h"

#include <cstring>

#include "kernels/device.h"
#include "kernels/epilogue.h"
#include "kernels/pointwise.h"

namespace framefold {
namespace {

// Columns from which db is summed without partial sums, each thread having columns of its own.
constexpr Index wide = pointwise_grain;

// [rows, columns]: the axes that b repeats over, and b's.
Shape rows_of(const Shape& x, const Shape& b) {
  return {b.size() == 0 ? 0 : x.size() / b.size(), b.size()};
}

template <class T, class B>
void forward(const Stream& stream, const Shape& extent, T* y, const T* x, const B* b) {
  using A = Accumulator<T>;
  const Index columns = extent[1];
  const auto rows = [=](Index begin, Index end) {
    for (Index at = begin * columns; at < end * columns; at += columns)
      each(columns,
           [=](Index c) { y[at + c] = T(static_cast<A>(x[at + c]) + static_cast<A>(b[c])); });
  };
  parallel_for(stream, extent[0], 1 + pointwise_grain / std::max<Index>(columns, 1), rows);
}

template <class T>
void sum_columns(const Stream& stream, const Shape& extent, Accumulator<T>* db, const T* dy) {
  using A = Accumulator<T>;
  parallel_for(stream, extent[1], pointwise_grain / 2, [=](Index begin, Index end) {
    for (Index r = 0; r < extent[0]; ++r)
      each(end - begin, [=, sum = db + begin, row = dy + r * extent[1] + begin](Index c) {
        sum[c] += static_cast<A>(row[c]);
      });
  });
}

}  // namespace

void add_forward(const Stream& stream, Tensor y, View x, View b) {
  if (on_device(stream)) return device<&add_forward>(stream, y, x, b);
  for_float(x.dtype, [&]<class T>(T) {
    using A = Accumulator<T>;
    if (x.shape == b.shape)
      parallel_each(stream, x.size(), [to = y.as<T>(), p = x.as<T>(), q = b.as<T>()](Index i) {
        to[i] = T(static_cast<A>(p[i]) + static_cast<A>(q[i]));
      });
    else
      forward(stream, rows_of(x.shape, b.shape), y.as<T>(), x.as<T>(), b.as<A>());
  });
}

void add_dgrad(const Stream& stream, Tensor dx, View dy) {
  if (on_device(stream)) return device<&add_dgrad>(stream, dx, dy);
  if (dx.data == dy.data) return;
  auto* to = static_cast<std::byte*>(dx.data);
  const auto* from = static_cast<const std::byte*>(dy.data);
  parallel_for(stream, static_cast<Index>(dy.bytes()), 4 * pointwise_grain,
               [=](Index begin, Index end) {
                 std::memcpy(to + begin, from + begin, static_cast<std::size_t>(end - begin));
               });
}

void add_wgrad(const Stream& stream, Tensor db, Workspace workspace, View dy) {
  if (on_device(stream)) return device<&add_wgrad>(stream, db, workspace, dy);
  const Shape extent = rows_of(dy.shape, db.shape);
  const View rows{dy.data, dy.dtype, extent};
  if (extent[1] < wide) {
    const Tensor sum{db.data, db.dtype, {extent[1]}};
    return epilogue_backward(stream, Activation::none, {}, sum, workspace, rows, {});
  }
  for_float(dy.dtype, [&]<class T>(T) {
    sum_columns(stream, extent, db.as<Accumulator<T>>(), rows.as<T>());
  });
}

Bytes add_wgrad_workspace(const Stream& stream, const TensorType& b, const TensorType& x) {
  if (on_device(stream)) return device<&add_wgrad_workspace>(stream, b, x);
  const Shape extent = rows_of(x.shape, b.shape);
  return extent[1] < wide ? epilogue_backward_workspace(stream, {x.dtype, extent}) : 0;
}

}  // namespace framefold

#include "kernels/scatter_rows.h"

#include "kernels/check.h"
#include "kernels/device.h"
#include "kernels/partial_sums.h"

namespace framefold {
namespace {

constexpr Index grain = 1 << 14;  // elements below which a second thread does not pay

Index width_of(const Shape& y) { return y.size() / (y[0] * y[1]); }

// Fills `source` and refuses a place that is taken twice.
void find_sources(Tensor source, View index) {
  const Index picks = index.shape[1];
  const Index rows = source.shape[1];
  std::fill_n(source.as<std::int32_t>(), source.size(), -1);
  for (Index i = 0; i < index.size(); ++i) {
    const std::int32_t place = index.as<std::int32_t>()[i];
    std::int32_t& at = source.as<std::int32_t>()[i / picks * rows + place];
    if (at >= 0)
      fail(ErrorCode::argument, "scatter_rows: index[", i / picks, ", ", at, "] and index[",
           i / picks, ", ", i % picks, "] are both ", place,
           ", expected every row of a sample once");
    at = static_cast<std::int32_t>(i % picks);
  }
}

// Calls body(row of y, row of x or -1) for the rows of y, shared among the threads.
template <class Body>
void for_rows(const Stream& stream, const Shape& y, View source, Index picks, Body&& body) {
  parallel_for(stream, source.size(), 1 + grain / width_of(y), [&](Index begin, Index end) {
    for (Index row = begin; row < end; ++row) {
      const std::int32_t m = source.as<std::int32_t>()[row];
      body(row, m < 0 ? -1 : row / y[1] * picks + m);
    }
  });
}

}  // namespace

void scatter_rows_forward(const Stream& stream, Tensor y, Tensor source, View x, View index,
                          View token) {
  if (on_device(stream)) return device<&scatter_rows_forward>(stream, y, source, x, index, token);
  expect_index("scatter_rows", index, y.shape[1], "y");
  find_sources(source, index);
  const Index width = width_of(y.shape);
  for_float(x.dtype, [&]<class T>(T) {
    using A = Accumulator<T>;
    const A* base = token ? token.as<A>() : nullptr;
    for_rows(stream, y.shape, source, index.shape[1], [&](Index row, Index from) {
      T* to = y.as<T>() + row * width;
      if (from >= 0)
        std::copy_n(x.as<T>() + from * width, width, to);
      else if (base)
        for (Index c = 0; c < width; ++c) to[c] = T(base[c]);
      else
        std::fill_n(to, width, T(0.0F));
    });
  });
}

void scatter_rows_dgrad(const Stream& stream, Tensor dx, View dy, View source) {
  if (on_device(stream)) return device<&scatter_rows_dgrad>(stream, dx, dy, source);
  const Index width = width_of(dy.shape);
  for_float(dx.dtype, [&]<class T>(T) {
    for_rows(stream, dy.shape, source, dx.shape[1], [&](Index row, Index to) {
      if (to >= 0) std::copy_n(dy.as<T>() + row * width, width, dx.as<T>() + to * width);
    });
  });
}

void scatter_rows_wgrad(const Stream& stream, Tensor dtoken, Workspace workspace, View dy,
                        View source) {
  if (on_device(stream)) return device<&scatter_rows_wgrad>(stream, dtoken, workspace, dy, source);
  const Index width = width_of(dy.shape);
  for_float(dy.dtype, [&]<class T>(T) {
    using A = Accumulator<T>;
    const A* sums = partial_sums<A>(stream, workspace, source.size(), width,
                                    [&](Index begin, Index end, A* own) {
                                      for (Index row = begin; row < end; ++row) {
                                        if (source.as<std::int32_t>()[row] >= 0) continue;
                                        const T* from = dy.as<T>() + row * width;
                                        for (Index c = 0; c < width; ++c)
                                          own[c] += static_cast<A>(from[c]);
                                      }
                                    });
    for (Index c = 0; c < width; ++c) dtoken.as<A>()[c] += sums[c];
  });
}

Bytes scatter_rows_wgrad_workspace(const Stream& stream, const TensorType& y) {
  if (on_device(stream)) return device<&scatter_rows_wgrad_workspace>(stream, y);
  return y.dtype == DType::f64 ? partial_sums_workspace<double>(stream, width_of(y.shape))
                               : partial_sums_workspace<float>(stream, width_of(y.shape));
}

}  // namespace framefold

#include "kernels/gather_rows.h"

#include <cstring>

#include "kernels/check.h"
#include "kernels/device.h"

namespace framefold {
namespace {

constexpr Index grain = 1 << 14;  // elements below which a second thread does not pay
constexpr Index block = 128;      // columns summed at once

Index width_of(const Shape& x) { return x.size() / (x[0] * x[1]); }

// For every row of x the m that picked it: order[starts[n]] to order[starts[n + 1] - 1], rising.
struct Pickers {
  std::int32_t* starts;  // [B, N + 1]
  std::int32_t* order;   // [B, M]
};

// A counting sort of each sample's index.
void sort_pickers(const Stream& stream, Pickers pickers, View index, Index rows) {
  const Index picks = index.shape[1];
  parallel_for(stream, index.shape[0], 1 + grain / (1 + picks), [&](Index begin, Index end) {
    for (Index b = begin; b < end; ++b) {
      const std::int32_t* row = index.as<std::int32_t>() + b * picks;
      std::int32_t* starts = pickers.starts + b * (rows + 1);
      std::int32_t* order = pickers.order + b * picks;
      std::fill(starts, starts + rows + 1, 0);
      for (Index m = 0; m < picks; ++m) ++starts[row[m]];
      for (Index n = 1; n <= rows; ++n) starts[n] += starts[n - 1];
      for (Index m = picks; m-- > 0;) order[--starts[row[m]]] = static_cast<std::int32_t>(m);
    }
  });
}

template <class T>
void dgrad(const Stream& stream, T* dx, const T* dy, Pickers pickers, const Shape& shape,
           Index picks) {
  using A = Accumulator<T>;
  const Index width = width_of(shape);
  const Index rows = shape[1];
  parallel_for(stream, shape[0] * rows, 1 + grain / width, [&](Index begin, Index end) {
    for (Index row = begin; row < end; ++row) {
      const Index b = row / rows;
      const std::int32_t* starts = pickers.starts + row + b;
      const std::int32_t* order = pickers.order + b * picks;
      T* to = dx + row * width;
      const T* from = dy + b * picks * width;
      for (Index c0 = 0; c0 < width; c0 += block) {
        const Index count = std::min(block, width - c0);
        A sum[block] = {};
        for (std::int32_t k = starts[0]; k < starts[1]; ++k)
          for (Index c = 0; c < count; ++c)
            sum[c] += static_cast<A>(from[order[k] * width + c0 + c]);
        for (Index c = 0; c < count; ++c) to[c0 + c] = T(sum[c]);
      }
    }
  });
}

}  // namespace

void gather_rows_forward(const Stream& stream, Tensor y, View x, View index) {
  if (on_device(stream)) return device<&gather_rows_forward>(stream, y, x, index);
  const Index rows = x.shape[1];
  expect_index("gather_rows", index, rows, "x");
  const Index picks = index.shape[1];
  const Index bytes = width_of(x.shape) * static_cast<Index>(size_of(x.dtype));
  const auto* from = static_cast<const std::byte*>(x.data);
  auto* to = static_cast<std::byte*>(y.data);
  parallel_for(stream, index.size(), 1 + grain * 4 / bytes, [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      const Index row = i / picks * rows + index.as<std::int32_t>()[i];
      std::memcpy(to + i * bytes, from + row * bytes, static_cast<std::size_t>(bytes));
    }
  });
}

Bytes gather_rows_dgrad_workspace(const Shape& x, const Shape& index) {
  return Workspace::padded(static_cast<Bytes>(x[0] * (x[1] + 1)) * sizeof(std::int32_t)) +
         Workspace::padded(static_cast<Bytes>(index.size()) * sizeof(std::int32_t));
}

void gather_rows_dgrad(const Stream& stream, Tensor dx, Workspace workspace, View dy, View index) {
  if (on_device(stream)) return device<&gather_rows_dgrad>(stream, dx, workspace, dy, index);
  const Index rows = dx.shape[1];
  const Pickers pickers{workspace.take<std::int32_t>(dx.shape[0] * (rows + 1)),
                        workspace.take<std::int32_t>(index.size())};
  sort_pickers(stream, pickers, index, rows);
  for_float(dx.dtype, [&]<class T>(T) {
    dgrad<T>(stream, dx.as<T>(), dy.as<T>(), pickers, dx.shape, index.shape[1]);
  });
}

}  // namespace framefold

#include "kernels/add_rows.h"

#include <algorithm>

#include "kernels/check.h"
#include "kernels/device.h"
#include "kernels/pointwise.h"

namespace framefold {
namespace {

constexpr Index block = 64;  // columns summed at once

Index row_grain(Index width) { return 1 + pointwise_grain / width; }

// Calls body(first column, end) on every thread's share of the columns, in whole blocks.
template <class Body>
void for_columns(const Stream& stream, Index width, Index rows, Body&& body) {
  const Index blocks = (width + block - 1) / block;
  parallel_for(stream, blocks, 1 + pointwise_grain / (block * (1 + rows)),
               [&](Index begin, Index end) { body(begin * block, std::min(width, end * block)); });
}

}  // namespace

void add_rows_forward(const Stream& stream, Tensor y, View x, View table, View index, View masked,
                      View token) {
  if (on_device(stream))
    return device<&add_rows_forward>(stream, y, x, table, index, masked, token);
  expect_index("add_rows", index, table.shape[0], "the table");
  if (token) expect_index("add_rows", masked, table.shape[0], "the table");
  const Index rows = y.shape[1];
  const Index width = y.shape[2];
  const Index given = x.shape[1];
  for_float(x.dtype, [&]<class T>(T) {
    using A = Accumulator<T>;
    parallel_for(stream, y.shape[0] * rows, row_grain(width), [&](Index begin, Index end) {
      for (Index at = begin; at < end; ++at) {
        const Index b = at / rows;
        const Index m = at % rows;
        const Index number = m < given ? index.as<std::int32_t>()[b * given + m]
                                       : masked.as<std::int32_t>()[b * (rows - given) + m - given];
        T* to = y.as<T>() + at * width;
        const A* position = table.as<A>() + number * width;
        if (m < given)
          each(width, [=, from = x.as<T>() + (b * given + m) * width](Index c) {
            to[c] = T(static_cast<A>(from[c]) + position[c]);
          });
        else
          each(width, [=, from = token.as<A>()](Index c) { to[c] = T(from[c] + position[c]); });
      }
    });
  });
}

void add_rows_dgrad(const Stream& stream, Tensor dx, View dy) {
  if (on_device(stream)) return device<&add_rows_dgrad>(stream, dx, dy);
  const Index given = dx.shape[1];
  const Index width = dx.shape[2];
  for_float(dx.dtype, [&]<class T>(T) {
    parallel_for(stream, dx.shape[0] * given, row_grain(width), [&](Index begin, Index end) {
      for (Index at = begin; at < end; ++at)
        std::copy_n(dy.as<T>() + (at / given * dy.shape[1] + at % given) * width, width,
                    dx.as<T>() + at * width);
    });
  });
}

void add_rows_wgrad_table(const Stream& stream, Tensor dtable, View dy, View index, View masked) {
  if (on_device(stream)) return device<&add_rows_wgrad_table>(stream, dtable, dy, index, masked);
  const Index rows = dy.shape[1];
  const Index width = dy.shape[2];
  const Index given = index.shape[1];
  for_float(dy.dtype, [&]<class T>(T) {
    using A = Accumulator<T>;
    for_columns(stream, width, dy.shape[0] * rows, [&](Index begin, Index end) {
      for (Index at = 0; at < dy.shape[0] * rows; ++at) {
        const Index b = at / rows;
        const Index m = at % rows;
        const Index number = m < given ? index.as<std::int32_t>()[b * given + m]
                                       : masked.as<std::int32_t>()[b * (rows - given) + m - given];
        each(end - begin,
             [to = dtable.as<A>() + number * width + begin, from = dy.as<T>() + at * width + begin](
                 Index c) { to[c] += static_cast<A>(from[c]); });
      }
    });
  });
}

void add_rows_wgrad_token(const Stream& stream, Tensor dtoken, Workspace workspace, View dy,
                          Index given) {
  if (on_device(stream)) return device<&add_rows_wgrad_token>(stream, dtoken, workspace, dy, given);
  const Index rows = dy.shape[1];
  const Index width = dy.shape[2];
  for_float(dy.dtype, [&]<class T>(T) {
    using A = Accumulator<T>;
    for_columns(stream, width, dy.shape[0] * rows, [&](Index begin, Index end) {
      for (Index c0 = begin; c0 < end; c0 += block)
        for (Index b = 0; b < dy.shape[0]; ++b) {  // sample by sample, to lose fewer digits
          A sum[block] = {};
          const Index count = std::min(block, end - c0);
          for (Index m = given; m < rows; ++m)
            each(count, [&sum, from = dy.as<T>() + (b * rows + m) * width + c0](Index c) {
              sum[c] += static_cast<A>(from[c]);
            });
          for (Index c = 0; c < count; ++c) dtoken.as<A>()[c0 + c] += sum[c];
        }
    });
  });
}

Bytes add_rows_wgrad_token_workspace(const Stream& stream, const TensorType& dy, Index rows) {
  return on_device(stream) ? device<&add_rows_wgrad_token_workspace>(stream, dy, rows) : 0;
}

}  // namespace framefold

// x is read once, in its own order: [outer, terms, inner], the terms summed in f32 over short
// stretches and in f64 between them.
#include "kernels/device.h"
#include "kernels/partial_sums.h"
#include "kernels/reduce.h"
#include "kernels/simd.h"

namespace framefold {
namespace {

constexpr Index grain = 1 << 14;     // elements below which a second thread does not pay
constexpr Index most_columns = 512;  // summed at once: two lines of sums stay in the first cache
constexpr Index stretch = 64;        // terms summed in f32
constexpr Index narrow = 64;         // fewer columns are summed several rows at once

struct Extent {
  Index outer = 1;
  Index terms = 1;
  Index inner = 1;

  Extent(const Shape& x, std::span<const int> axes) {
    for (int axis = 0; axis < x.rank(); ++axis)
      (axis < axes.front() ? outer : axis > axes.back() ? inner : terms) *= x[axis];
  }
};

bool supported(const Stream& stream, View x, std::span<const int> axes) {
  const bool neighbours = axes.back() - axes.front() + 1 == static_cast<int>(axes.size());
  return stream.wants(Path::native) && x.dtype == DType::f32 && neighbours;
}

FRAMEFOLD_INLINE double sum_of_row(Index count, const float* x) {
  double total = 0;
  for (Index begin = 0; begin < count; begin += stretch * narrow) {
    const Index end = std::min(begin + stretch * narrow, count);
    total += static_cast<double>(simd::sum_of(
        end - begin, [=](Index i) __attribute__((always_inline)) { return x[begin + i]; }));
  }
  return total;
}

FRAMEFOLD_SIMD double row_sum(Index count, const float* x) { return sum_of_row(count, x); }

FRAMEFOLD_SIMD void reduce_rows(Index rows, Index count, double scale, float* y, const float* x) {
  for (Index r = 0; r < rows; ++r)
    y[r] = static_cast<float>(sum_of_row(count, x + r * count) * scale);
}

// sums[c] += x[r * step + c] for all rows r; at most most_columns columns.
FRAMEFOLD_SIMD void add_rows(Index rows, Index columns, Index step, double* sums, const float* x) {
  float part[most_columns];
  for (Index begin = 0; begin < rows; begin += stretch) {
    const Index end = std::min(begin + stretch, rows);
    for (Index c = 0; c < columns; ++c) part[c] = 0;
    Index r = begin;
    for (; r + 4 <= end; r += 4) {  // four rows for each time that the sums are read and written
      const float* row = x + r * step;
#pragma omp simd
      for (Index c = 0; c < columns; ++c)
        part[c] = part[c] + row[c] + row[step + c] + row[2 * step + c] + row[3 * step + c];
    }
    for (; r < end; ++r)
      for (Index c = 0; c < columns; ++c) part[c] += x[r * step + c];
    for (Index c = 0; c < columns; ++c) sums[c] += static_cast<double>(part[c]);
  }
}

// The same for the few columns of contiguous rows.
void add_narrow_rows(Index rows, Index columns, double* sums, const float* x) {
  const Index at_once = narrow / columns;
  const Index whole = rows / at_once;
  double wide[narrow] = {};
  add_rows(whole, at_once * columns, at_once * columns, wide, x);
  add_rows(rows - whole * at_once, columns, columns, sums, x + whole * at_once * columns);
  for (Index i = 0; i < at_once * columns; ++i) sums[i % columns] += wide[i];
}

}  // namespace

Bytes reduce_forward_workspace(const Stream& stream, const TensorType& x,
                               std::span<const int> axes) {
  if (on_device(stream)) return device<&reduce_forward_workspace>(stream, x, axes);
  return partial_sums_workspace<double>(stream, most_columns);
}

bool fast::reduce_forward(const Stream& stream, double scale, Tensor y, Workspace workspace, View x,
                          std::span<const int> axes) {
  if (!supported(stream, x, axes)) return false;
  const Extent extent(x.shape, axes);
  const Index inner = extent.inner;
  const Index blocks = (inner + most_columns - 1) / most_columns;
  // Block `item` of columns: its place among the outer ones, its first column and its width.
  const auto sum = [&](Index item, Index begin, Index end, double* sums) {
    const Index column = item % blocks * most_columns;
    const Index columns = std::min(most_columns, inner - column);
    const float* from = x.as<float>() + (item / blocks * extent.terms + begin) * inner + column;
    if (inner == 1)
      sums[0] += row_sum(end - begin, from);
    else if (inner < narrow && end - begin > narrow)
      add_narrow_rows(end - begin, inner, sums, from);
    else
      add_rows(end - begin, columns, inner, sums, from);
  };
  const auto finish = [&](Index item, const double* sums) {
    const Index column = item % blocks * most_columns;
    const Index columns = std::min(most_columns, inner - column);
    float* to = y.as<float>() + item / blocks * inner + column;
    for (Index c = 0; c < columns; ++c) to[c] = static_cast<float>(sums[c] * scale);
  };
  const Index items = extent.outer * blocks;
  if (inner == 1 && items >= stream.threads) {
    parallel_for(stream, items, 1 + grain / extent.terms, [&](Index begin, Index end) {
      reduce_rows(end - begin, extent.terms, scale, y.as<float>() + begin,
                  x.as<float>() + begin * extent.terms);
    });
    return true;
  }
  if (items >= stream.threads || x.size() < grain) {
    parallel_for(stream, items, 1 + grain / (extent.terms * std::min(inner, most_columns)),
                 [&](Index first, Index last) {
                   double sums[most_columns];
                   for (Index item = first; item < last; ++item) {
                     std::fill_n(sums, std::min(inner, most_columns), 0.0);
                     sum(item, 0, extent.terms, sums);
                     finish(item, sums);
                   }
                 });
    return true;
  }
  for (Index item = 0; item < items; ++item) {
    Workspace own = workspace;
    finish(item, partial_sums<double>(
                     stream, own, extent.terms, std::min(inner, most_columns),
                     [&](Index begin, Index end, double* sums) { sum(item, begin, end, sums); }));
  }
  return true;
}

bool fast::reduce_dgrad(const Stream& stream, double scale, Tensor dx, View dy,
                        std::span<const int> axes) {
  if (!supported(stream, dx, axes)) return false;
  const Extent extent(dx.shape, axes);
  const auto factor = static_cast<float>(scale);
  parallel_for(stream, dx.size(), grain, [&](Index begin, Index end) {
    while (begin < end) {
      const Index column = begin % extent.inner;
      const Index outer = begin / (extent.inner * extent.terms);
      const float* from = dy.as<float>() + outer * extent.inner + column;
      float* to = dx.as<float>() + begin;
      // Up to the end of the row; where a row is one number, up to its last term.
      const Index left =
          extent.inner > 1 ? extent.inner - column : (outer + 1) * extent.terms - begin;
      const Index count = std::min(left, end - begin);
      if (extent.inner > 1)
        for (Index c = 0; c < count; ++c) to[c] = from[c] * factor;
      else
        std::fill_n(to, count, *from * factor);
      begin += count;
    }
  });
  return true;
}

}  // namespace framefold

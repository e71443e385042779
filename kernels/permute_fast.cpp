// Where the last axis stays last, blocks are copied. Otherwise tiles are transposed between the
// axis that is contiguous in x and the one that is in y, so that whole cache lines are used.
#include "kernels/copy.h"
#include "kernels/permute.h"

namespace framefold {
namespace {

constexpr Index grain = 1 << 14;  // elements below which a second thread does not pay
constexpr Index tile = 64;

void copy_rows(const Stream& stream, std::byte* y, Index rows, const std::byte* x, Index element,
               const PermutedAxes& permuted) {
  const std::size_t outer = permuted.count - 1;
  const Index bytes = permuted.axes[outer].extent * element;
  const PermutedAxes::Axis run = outer > 0 ? permuted.axes[outer - 1] : PermutedAxes::Axis{1, 1};
  parallel_for(stream, rows, grain * element / bytes, [&](Index begin, Index end) {
    while (begin < end) {
      const Index count = std::min(run.extent - begin % run.extent, end - begin);
      copy_blocks(Stream{}, y + begin * bytes, bytes, x + permuted.position(begin, outer) * element,
                  run.step * element, bytes, count);
      begin += count;
    }
  });
}

using Word = std::uint32_t;
using Words = Word __attribute__((vector_size(16), aligned(4), may_alias));

inline void transpose_4x4(Word* y, Index y_step, const Word* x, Index x_step) {
  const auto row = [&](Index c) { return *reinterpret_cast<const Words*>(x + c * x_step); };
  const auto put = [&](Index r, Words words) { *reinterpret_cast<Words*>(y + r * y_step) = words; };
  const Words a = __builtin_shufflevector(row(0), row(1), 0, 4, 1, 5);
  const Words b = __builtin_shufflevector(row(0), row(1), 2, 6, 3, 7);
  const Words c = __builtin_shufflevector(row(2), row(3), 0, 4, 1, 5);
  const Words d = __builtin_shufflevector(row(2), row(3), 2, 6, 3, 7);
  put(0, __builtin_shufflevector(a, c, 0, 1, 4, 5));
  put(1, __builtin_shufflevector(a, c, 2, 3, 6, 7));
  put(2, __builtin_shufflevector(b, d, 0, 1, 4, 5));
  put(3, __builtin_shufflevector(b, d, 2, 3, 6, 7));
}

// y[r * y_step + c] = x[c * x_step + r]
template <class Element>
void transpose(Index rows, Index columns, Element* y, Index y_step, const Element* x,
               Index x_step) {
  constexpr Index side = std::is_same_v<Element, Word> ? 4 : 1;
  const Index whole = rows / side * side;
  Index c = 0;
  for (; c + side <= columns; c += side) {
    for (Index r = 0; r < whole; r += side)
      if constexpr (side == 4)
        transpose_4x4(y + r * y_step + c, y_step, x + c * x_step + r, x_step);
      else
        y[r * y_step + c] = x[c * x_step + r];
    for (Index r = whole; r < rows; ++r)
      for (Index k = c; k < c + side; ++k) y[r * y_step + k] = x[k * x_step + r];
  }
  for (; c < columns; ++c)
    for (Index r = 0; r < rows; ++r) y[r * y_step + c] = x[c * x_step + r];
}

template <class Element>
void transpose_all(const Stream& stream, Element* y, Index size, const Element* x,
                   const PermutedAxes& permuted) {
  const std::size_t last = permuted.count - 1;
  const PermutedAxes::Axis columns = permuted.axes[last];
  std::size_t row_axis = 0;
  while (permuted.axes[row_axis].step != 1) ++row_axis;
  const Index rows = permuted.axes[row_axis].extent;
  const Index tiles = (rows + tile - 1) / tile;
  const Index items = size / columns.extent / rows * tiles;
  parallel_for(stream, items, 1 + grain / (tile * columns.extent), [&](Index begin, Index end) {
    for (Index item = begin; item < end; ++item) {
      Index rest = item;
      Index from = 0;
      Index to = 0;
      Index first = 0;
      Index row_step = 0;
      Index y_step = columns.extent;
      for (std::size_t a = last; a-- > 0; y_step *= permuted.axes[a].extent) {
        const bool tiled = a == row_axis;
        const Index steps = tiled ? tiles : permuted.axes[a].extent;
        const Index digit = rest % steps * (tiled ? tile : 1);
        rest /= steps;
        from += digit * permuted.axes[a].step;
        to += digit * y_step;
        if (tiled) {
          first = digit;
          row_step = y_step;
        }
      }
      for (Index c = 0; c < columns.extent; c += tile)
        transpose(std::min(tile, rows - first), std::min(tile, columns.extent - c), y + to + c,
                  row_step, x + from + c * columns.step, columns.step);
    }
  });
}

}  // namespace

bool fast::permute_forward(const Stream& stream, Tensor y, View x, std::span<const int> axes) {
  if (!stream.wants(Path::native)) return false;
  const PermutedAxes permuted(x.shape, axes);
  const PermutedAxes::Axis& last = permuted.axes[permuted.count - 1];
  const auto element = static_cast<Index>(size_of(x.dtype));
  if (last.step == 1) {
    copy_rows(stream, static_cast<std::byte*>(y.data), x.size() / last.extent,
              static_cast<const std::byte*>(x.data), element, permuted);
    return true;
  }
  for_element(x.dtype, [&]<class Element>(Element) {
    transpose_all(stream, static_cast<Element*>(y.data), x.size(),
                  static_cast<const Element*>(x.data), permuted);
  });
  return true;
}

}  // namespace framefold

// Where the last axis stays last, blocks are copied. Otherwise tiles are transposed between the
// axis that is contiguous in x and the one that is in y, so that whole cache lines are used.
#include "kernels/copy.h"
#include "kernels/permute.h"
#include "kernels/transpose.h"

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

#include "kernels/gather_rows.cuh"

#include "kernels/gather_rows.h"

namespace framefold {
namespace gpu {
namespace {

Index width_of(const Shape& x) { return x.size() / (x[0] * x[1]); }

void gather_rows_forward(const Stream& stream, Tensor y, View x, View index) {
  if (y.size() == 0) return;
  const Index bytes = width_of(x.shape) * static_cast<Index>(size_of(x.dtype));
  const auto run = [&]<class Word>(Word) {
    const Index words = bytes / static_cast<Index>(sizeof(Word));
    launch<&gather_words<Word>>(stream, {{blocks_of(divide_up(index.size() * words, 256))}, {256}},
                                words, x.shape[1], index.shape[1], index.size(),
                                static_cast<Word*>(y.data), static_cast<const Word*>(x.data),
                                index.as<std::int32_t>());
  };
  with_word<std::uint16_t>(run, address(y.data), address(x.data), bytes);
}

void gather_rows_dgrad(const Stream& stream, Tensor dx, Workspace, View dy, View index) {
  if (dx.size() == 0) return;
  const Index width = width_of(dx.shape);
  const Index count = dx.shape[0] * dx.shape[1];
  for_device_float(dx.dtype, [&]<class T>(T) {
    T* to = dx.as<T>();
    const T* from = dy.as<T>();
    const auto run = [&]<int N>(std::integral_constant<int, N>) {
      const Index packs = width / N;
      launch<&gather_dgrad_packs<T, N>>(stream, {{blocks_of(divide_up(count * packs, 256))}, {256}},
                                        packs, dx.shape[1], index.shape[1], count, to, from,
                                        index.as<std::int32_t>());
    };
    if (aligned(to, from) && width % pack_of<T> == 0)
      run(std::integral_constant<int, pack_of<T>>{});
    else
      run(std::integral_constant<int, 1>{});
  });
}

const OnDevice<&framefold::gather_rows_forward> forward_path(gather_rows_forward);
const OnDevice<&framefold::gather_rows_dgrad> dgrad_path(gather_rows_dgrad);

}  // namespace
}  // namespace gpu
}  // namespace framefold

#include "kernels/convert.h"

#include "kernels/device.h"

namespace framefold {
namespace {

template <class Y, class X>
void copy_as(const Stream& stream, Index count, Y* y, const X* x) {
  constexpr Index grain = 16384;
  parallel_for(stream, count, grain, [=](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) y[i] = Y(static_cast<float>(x[i]));
  });
}

}  // namespace

void convert(const Stream& stream, Tensor y, View x) {
  if (on_device(stream)) return device<&convert>(stream, y, x);
  if (y.dtype == DType::bf16) return copy_as(stream, x.size(), y.as<bf16>(), x.as<float>());
  copy_as(stream, x.size(), y.as<float>(), x.as<bf16>());
}

}  // namespace framefold

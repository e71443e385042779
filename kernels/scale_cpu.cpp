#include "kernels/scale.h"

#include "kernels/device.h"
#include "kernels/pointwise.h"

namespace framefold {

void scale(const Stream& stream, double a, double b, Tensor y, View x) {
  if (on_device(stream)) return device<&scale>(stream, a, b, y, x);
  for_float(x.dtype, [&]<class T>(T) {
    using A = Accumulator<T>;
    parallel_each(stream, x.size(),
                  [to = y.as<T>(), from = x.as<T>(), slope = A(a), shift = A(b)](Index i) {
                    to[i] = T(slope * static_cast<A>(from[i]) + shift);
                  });
  });
}

}  // namespace framefold

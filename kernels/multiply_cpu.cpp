#include "kernels/device.h"
#include "kernels/multiply.h"
#include "kernels/pointwise.h"

namespace framefold {

void multiply(const Stream& stream, Tensor y, View a, View b) {
  if (on_device(stream)) return device<&multiply>(stream, y, a, b);
  for_float(a.dtype, [&]<class T>(T) {
    using A = Accumulator<T>;
    parallel_each(stream, a.size(), [to = y.as<T>(), p = a.as<T>(), q = b.as<T>()](Index i) {
      to[i] = T(static_cast<A>(p[i]) * static_cast<A>(q[i]));
    });
  });
}

}  // namespace framefold

#include "kernels/dropout.h"

#include "kernels/device.h"

namespace framefold {

void dropout(const Stream& stream, float rate, Index each, Random random, Tensor y, View x) {
  if (on_device(stream)) return device<&dropout>(stream, rate, each, random, y, x);
  if (fast::dropout(stream, rate, each, random, y, x)) return;
  for_float(x.dtype, [&]<class T>(T) {
    using A = Accumulator<T>;
    const A scale = 1 / (1 - static_cast<A>(rate));
    parallel_for(stream, x.size(), 1024, [&](Index begin, Index end) {
      for (Index i = begin; i < end; ++i) {
        const bool kept = random.uniform(static_cast<std::uint64_t>(i / each)) >= rate;
        y.as<T>()[i] = T(kept ? scale * static_cast<A>(x.as<T>()[i]) : A{0});
      }
    });
  });
}

}  // namespace framefold

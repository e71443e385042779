#include "kernels/check.h"
#include "kernels/device.h"
#include "kernels/epilogue.h"

namespace framefold {
namespace {

template <class T>
void backward(Activation activation, Index rows, Index width, T* dz, Accumulator<T>* dbias,
              const T* dy, const T* y) {
  using A = Accumulator<T>;
  for (Index r = 0; r < rows; ++r)
    for (Index c = 0; c < width; ++c) {
      const Index at = r * width + c;
      A g = static_cast<A>(dy[at]);
      if (y)
        with_formula<A, StandardMath>(
            activation, [&](auto formula) { g *= formula.derivative(static_cast<A>(y[at])); });
      if (dz) dz[at] = T(g);
      if (dbias) dbias[c] += g;
    }
}

}  // namespace

void expect_fusible(std::string_view op, Activation activation) {
  if (activation.derivative_from_output()) return;
  fail(ErrorCode::argument, op, ": gelu and silu cannot be fused, as their derivative needs the ",
       "input; add them as an operation of their own");
}

void epilogue_backward(const Stream& stream, Activation activation, Tensor dz, Tensor dbias,
                       Workspace workspace, View dy, View y) {
  expect_fusible("epilogue", activation);
  if (on_device(stream))
    return device<&epilogue_backward>(stream, activation, dz, dbias, workspace, dy, y);
  if (fast::epilogue_backward(stream, activation, dz, dbias, workspace, dy, y)) return;
  for_float(dy.dtype, [&]<class T>(T) {
    using A = Accumulator<T>;
    const Index width = dy.shape[-1];
    const bool fused = activation.kind != Activation::none;
    backward<T>(activation, width == 0 ? 0 : dy.size() / width, width, dz ? dz.as<T>() : nullptr,
                dbias ? dbias.as<A>() : nullptr, dy.as<T>(), fused ? y.as<T>() : nullptr);
  });
}

}  // namespace framefold

// The convolutions of the 3-D autoencoder and the shapes that its users try next, without bias and
// activation.
#include "bench/op_rows.h"

namespace framefold::bench {
namespace {

struct Layer {
  const char* name;
  bool transposed;
  Index from, to;
  Extents size;
  Index kernel, stride, batch;
};

constexpr Layer layers[] = {
    {"3-32_s2", false, 3, 32, {16, 64, 64}, 3, 2, 4},
    {"32-64_s2", false, 32, 64, {8, 32, 32}, 3, 2, 4},
    {"64-128_s2", false, 64, 128, {4, 16, 16}, 3, 2, 4},
    {"16-16", false, 16, 16, {8, 32, 32}, 3, 1, 4},
    {"64-64", false, 64, 64, {8, 32, 32}, 3, 1, 1},
    {"transposed_128-64_s2", true, 128, 64, {2, 8, 8}, 4, 2, 4},
    {"transposed_64-32_s2", true, 64, 32, {4, 16, 16}, 4, 2, 4},
    {"transposed_32-3_s2", true, 32, 3, {8, 32, 32}, 4, 2, 4},
};

OpRow row_of(const Layer& layer) {
  const Index k = layer.kernel;
  const Extents stride{layer.stride, layer.stride, layer.stride};
  const TensorType x{DType::f32,
                     {layer.batch, layer.size[0], layer.size[1], layer.size[2], layer.from}};
  if (layer.transposed)
    return op_row({x, {DType::f32, {k, k, k, layer.to, layer.from}}}, [&](Graph& g, auto& v) {
      conv_transpose3d(g, v[0], v[1], {}, {.stride = stride, .padding = {1, 1, 1}});
    });
  return op_row({x, {DType::f32, {k, k, k, layer.from, layer.to}}}, [&](Graph& g, auto& v) {
    conv3d(g, v[0], v[1], {}, {.stride = stride, .padding = {1, 1, 1}});
  });
}

const bool added = [] {
  for (const Layer& layer : layers)
    add_op(text("conv3d/", layer.name), row_of(layer), {Pass::forward, Pass::dgrad, Pass::wgrad});
  return true;
}();

}  // namespace
}  // namespace framefold::bench

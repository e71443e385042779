#include "bench/instructions.h"

#include <iostream>

#include "bench/op_rows.h"
#include "kernels/microkernel.h"

namespace framefold::bench {
namespace {

struct Case {
  const char* name;
  Types in;
  std::function<void(Graph&, const std::vector<Value>&)> build;
  std::vector<Pass> passes;
};

}  // namespace

void count_instructions() {
  constexpr DType f32 = DType::f32;
  const TensorType clip{f32, {1, 4, 16, 16, 32}}, tokens{f32, {2, 98, 192}};
  const TensorType channels{f32, {32}}, width{f32, {192}};
  const std::vector<Pass> gradients = {Pass::forward, Pass::dgrad, Pass::wgrad};
  const std::vector<Pass> two = {Pass::forward, Pass::backward};
  const Case cases[] = {
      {"activation gelu",
       {tokens},
       [](Graph& g, auto& v) { activation(g, v[0], Activation::gelu_erf); },
       two},
      {"attention",
       {{f32, {2, 98, 576}}},
       [](Graph& g, auto& v) { attention(g, v[0], {.heads = 3}); },
       two},
      {"conv3d",
       {clip, {f32, {3, 3, 3, 32, 32}}},
       [](Graph& g, auto& v) {
         conv3d(g, v[0], v[1], {}, {.stride = {2, 2, 2}, .padding = {1, 1, 1}});
       },
       gradients},
      {"conv_transpose3d",
       {clip, {f32, {4, 4, 4, 16, 32}}},
       [](Graph& g, auto& v) {
         conv_transpose3d(g, v[0], v[1], {}, {.stride = {2, 2, 2}, .padding = {1, 1, 1}});
       },
       gradients},
      {"group_norm",
       {clip, channels, channels},
       [](Graph& g, auto& v) { group_norm(g, v[0], v[1], v[2], {.groups = 4}); },
       two},
      {"layer_norm",
       {tokens, width, width},
       [](Graph& g, auto& v) { layer_norm(g, v[0], v[1], v[2]); },
       two},
      {"lstm",
       {{f32, {4, 6, 64}}, {f32, {64, 256}}, {f32, {64, 256}}, {f32, {256}}},
       [](Graph& g, auto& v) { lstm(g, v[0], {.wx = v[1], .wh = v[2], .bias = v[3]}); },
       two},
      {"max_pool3d", {clip}, [](Graph& g, auto& v) { max_pool3d(g, v[0], {}); }, two},
      {"matmul",
       {{f32, {196, 192}}, {f32, {192, 768}}, {f32, {768}}},
       [](Graph& g, auto& v) { linear(g, v[0], v[1], v[2]); },
       gradients},
      {"permute",
       {{f32, {2, 98, 3, 3, 64}}},
       [](Graph& g, auto& v) {
         permute(g, v[0], {2, 0, 3, 1, 4});
       },
       two},
      {"pointwise_loss", {tokens, tokens}, [](Graph& g, auto& v) { mse(g, v[0], v[1]); }, two},
      {"softmax", {{f32, {98, 98}}}, [](Graph& g, auto& v) { softmax(g, v[0]); }, two},
      {"tubelet_mse",
       {{f32, {1, 49, 1536}}, {DType::u8, {1, 4, 112, 112, 3}}, {DType::i32, {1, 49}}},
       [](Graph& g, auto& v) { tubelet_mse(g, v[0], v[1], v[2]); },
       two},
      {"upsample3d",
       {clip},
       [](Graph& g, auto& v) {
         upsample3d(g, v[0], {8, 32, 32}, Upsampling::nearest);
       },
       two},
  };
  std::cout << "tile " << micro_kernel().name << '\n';
  for (const Case& one : cases)
    for (const Pass pass : one.passes) count_op(one.name, op_row(one.in, one.build), pass);
}

}  // namespace framefold::bench

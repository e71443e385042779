// The operations that move more than they compute, at the sizes of a level of the 3-D autoencoder
// (clip), of VideoMAE-S on eight clips (tokens) or of a batch of digits.
#include "bench/op_rows.h"

namespace framefold::bench {
namespace {

constexpr DType f32 = DType::f32;
const TensorType clip{f32, {4, 16, 32, 32, 64}};
const TensorType half{f32, {4, 8, 16, 16, 64}};
const TensorType channels{f32, {64}};
const TensorType tokens{f32, {8, 1568, 384}};
const TensorType width{f32, {384}};
const TensorType digits{f32, {256, 784}};
const TensorType wide{f32, {8, 1024, 1024}};
const TensorType pixel_clip{DType::u8, {8, 16, 224, 224, 3}};

struct Case {
  const char* name;
  Types in;
  std::function<void(Graph&, const std::vector<Value>&)> build;
  std::vector<Pass> passes = {Pass::forward, Pass::backward};
};

const Case cases[] = {
    {"activity_penalty", {digits}, [](Graph& g, auto& v) { activity_penalty(g, v[0], {}); }},
    {"activity_penalty l2",
     {digits},
     [](Graph& g, auto& v) { activity_penalty(g, v[0], {.kind = ActivityPenalty::l2}); }},
    {"activity_penalty sparsity",
     {digits},
     [](Graph& g, auto& v) { activity_penalty(g, v[0], {.kind = ActivityPenalty::sparsity}); },
     {Pass::forward}},
    {"add", {wide, wide}, [](Graph& g, auto& v) { add(g, v[0], v[1]); }, {Pass::forward}},
    {"add bias",
     {wide, {f32, {1024}}},
     [](Graph& g, auto& v) { add(g, v[0], v[1]); },
     {Pass::forward}},
    {"add_rows",
     {{f32, {8, 160, 384}},
      {f32, {1568, 384}},
      {DType::i32, {8, 160}},
      {DType::i32, {8, 1408}},
      width},
     [](Graph& g, auto& v) { add_rows(g, v[0], v[1], v[2], v[3], v[4]); }},
    {"batch_norm",
     {clip, channels, channels, channels, channels},
     [](Graph& g, auto& v) { batch_norm(g, v[0], v[1], v[2], v[3], v[4]); }},
    {"concat", {clip, clip}, [](Graph& g, auto& v) { concat(g, v, -1); }},
    {"conv2d 32-32",
     {{f32, {64, 1, 28, 28, 32}}, {f32, {1, 3, 3, 32, 32}}},
     [](Graph& g, auto& v) {
       conv3d(g, v[0], v[1], {}, {.padding = {0, 1, 1}});
     },
     {Pass::forward, Pass::dgrad, Pass::wgrad}},
    {"conv3d with bias, relu",
     {{f32, {4, 8, 32, 32, 32}}, {f32, {3, 3, 3, 32, 64}}, channels},
     [](Graph& g, auto& v) {
       conv3d(g, v[0], v[1], v[2],
              {.stride = {2, 2, 2}, .padding = {1, 1, 1}, .activation = Activation::relu});
     },
     {Pass::forward}},
    {"cross_entropy",
     {{f32, {512, 400}}, {f32, {512, 400}}},
     [](Graph& g, auto& v) { cross_entropy(g, v[0], v[1]); }},
    {"dropout", {wide}, [](Graph& g, auto& v) { dropout(g, v[0], 0.5F); }},
    {"fold_tubelets",
     {{f32, {8, 1408, 1536}}, pixel_clip, {DType::i32, {8, 1408}}},
     [](Graph& g, auto& v) { fold_tubelets(g, v[0], v[1], v[2]); },
     {Pass::forward}},
    {"gather_rows",
     {tokens, {DType::i32, {8, 784}}},
     [](Graph& g, auto& v) { gather_rows(g, v[0], v[1]); }},
    {"gather_tubelets",
     {pixel_clip, {DType::i32, {8, 160}}},
     [](Graph& g, auto& v) {
       gather_tubelets(g, v[0], v[1], {2, 16, 16});
     },
     {Pass::forward}},
    {"gaussian_kl",
     {{f32, {256, 512}}, {f32, {256, 512}}},
     [](Graph& g, auto& v) { gaussian_kl(g, v[0], v[1]); }},
    {"group_norm",
     {clip, channels, channels},
     [](Graph& g, auto& v) { group_norm(g, v[0], v[1], v[2], {.groups = 8}); }},
    {"layer_norm",
     {tokens, width, width},
     [](Graph& g, auto& v) { layer_norm(g, v[0], v[1], v[2]); }},
    {"layer_norm of a sum",
     {tokens, tokens, width, width},
     [](Graph& g, auto& v) { layer_norm_of_sum(g, v[0], v[1], v[2], v[3]); }},
    {"lstm with peepholes",
     {{f32, {16, 20, 512}}, {f32, {512, 2048}}, {f32, {512, 2048}}, {f32, {2048}}, {f32, {1536}}},
     [](Graph& g, auto& v) {
       lstm(g, v[0], {.wx = v[1], .wh = v[2], .bias = v[3], .peepholes = v[4]});
     },
     {Pass::forward, Pass::both}},
    {"max_pool3d 2", {clip}, [](Graph& g, auto& v) { max_pool3d(g, v[0], {}); }},
    {"max_pool3d 3 stride 2",
     {clip},
     [](Graph& g, auto& v) {
       max_pool3d(g, v[0], {.kernel = {3, 3, 3}, .stride = {2, 2, 2}, .padding = {1, 1, 1}});
     }},
    {"mean_pool3d 2", {clip}, [](Graph& g, auto& v) { mean_pool3d(g, v[0], {}); }},
    {"multiply", {wide, wide}, [](Graph& g, auto& v) { multiply(g, v[0], v[1]); }},
    {"noise", {wide}, [](Graph& g, auto& v) { noise(g, v[0], {}); }},
    {"permute heads",
     {{f32, {8, 1568, 3, 6, 64}}},
     [](Graph& g, auto& v) {
       permute(g, v[0], {2, 0, 3, 1, 4});
     }},
    {"permute patches",
     {{f32, {4, 8, 2, 14, 16, 14, 16, 3}}},
     [](Graph& g, auto& v) {
       permute(g, v[0], {0, 1, 3, 5, 2, 4, 6, 7});
     }},
    {"permute transpose",
     {tokens},
     [](Graph& g, auto& v) {
       permute(g, v[0], {0, 2, 1});
     }},
    {"pixels", {pixel_clip}, [](Graph& g, auto& v) { pixels(g, v[0]); }, {Pass::forward}},
    {"pointwise_loss bce",
     {digits, digits},
     [](Graph& g, auto& v) { bce_with_logits(g, v[0], v[1]); }},
    {"pointwise_loss huber", {wide, wide}, [](Graph& g, auto& v) { huber(g, v[0], v[1], 0.1F); }},
    {"pointwise_loss l1", {wide, wide}, [](Graph& g, auto& v) { l1(g, v[0], v[1]); }},
    {"pointwise_loss mse", {wide, wide}, [](Graph& g, auto& v) { mse(g, v[0], v[1]); }},
    {"reduce columns", {tokens}, [](Graph& g, auto& v) { reduce(g, v[0], Reduction::mean, {1}); }},
    {"reduce rows", {tokens}, [](Graph& g, auto& v) { reduce(g, v[0], Reduction::mean, {2}); }},
    {"scale", {wide}, [](Graph& g, auto& v) { scale(g, v[0], 2, 1); }},
    {"scatter_rows",
     {{f32, {8, 160, 384}}, {DType::i32, {8, 160}}, width},
     [](Graph& g, auto& v) { scatter_rows(g, v[0], v[1], 1568, v[2]); }},
    {"slice", {clip}, [](Graph& g, auto& v) { slice(g, v[0], -1, 16, 48); }},
    {"softmax", {{f32, {6, 1568, 1568}}}, [](Graph& g, auto& v) { softmax(g, v[0]); }},
    {"tube_mask",
     {{DType::i32, {8}}},
     [](Graph& g, auto& v) { tube_mask(g, 8, {}, v[0]); },
     {Pass::forward}},
    {"tube_mask random",
     {{DType::i32, {8}}},
     [](Graph& g, auto& v) { tube_mask(g, 8, {.kind = TubeMask::random}, v[0]); },
     {Pass::forward}},
    {"tubelet_mse",
     {{f32, {8, 1408, 1536}}, pixel_clip, {DType::i32, {8, 1408}}},
     [](Graph& g, auto& v) { tubelet_mse(g, v[0], v[1], v[2]); }},
    {"upsample3d nearest",
     {half},
     [](Graph& g, auto& v) {
       upsample3d(g, v[0], {16, 32, 32}, Upsampling::nearest);
     }},
    {"upsample3d trilinear",
     {half},
     [](Graph& g, auto& v) {
       upsample3d(g, v[0], {16, 32, 32}, Upsampling::trilinear);
     }},
};

constexpr std::pair<const char*, Activation> activations[] = {
    {"relu", Activation::relu},         {"leaky_relu", Activation::leaky_relu},
    {"sigmoid", Activation::sigmoid},   {"tanh", Activation::tanh},
    {"gelu_erf", Activation::gelu_erf}, {"gelu_tanh", Activation::gelu_tanh},
    {"silu", Activation::silu}};

const bool added = [] {
  for (const Case& one : cases) add_op(one.name, op_row(one.in, one.build), one.passes);
  for (const auto& [name, kind] : activations)
    add_op(text("activation ", name),
           op_row({wide}, [kind = kind](Graph& g, auto& v) { activation(g, v[0], kind); }),
           {Pass::forward, Pass::backward});
  // VideoMAE-B's visible patches, from bytes to tokens.
  for (const DType type : {f32, DType::bf16})
    add_chain(type == f32 ? "visible patches to tokens" : "bf16 visible patches to tokens",
              {op_row({pixel_clip, {DType::i32, {8, 160}}},
                      [type](Graph& g, auto& v) {
                        gather_tubelets(g, v[0], v[1], {2, 16, 16}, {}, type);
                      }),
               op_row({{type, {8, 160, 1536}}, {f32, {1536, 768}}, {f32, {768}}},
                      [](Graph& g, auto& v) { linear(g, v[0], v[1], v[2]); })});
  return true;
}();

}  // namespace

void add_large_rows() {
  add_op("layer_norm past the caches",
         op_row({{f32, {32, 1568, 768}}, {f32, {768}}, {f32, {768}}},  // 154 MB
                [](Graph& g, auto& v) { layer_norm(g, v[0], v[1], v[2]); }),
         {Pass::forward, Pass::backward});
}

}  // namespace framefold::bench

#include "kernels/attention.cuh"

namespace framefold {
namespace gpu {
namespace {

Grid grid_of(const AttentionShape& s) {
  return {{blocks_of(s.batch * s.heads * divide_up(s.tokens, tile_side)),
           static_cast<unsigned>(divide_up(s.depth, tile_side))},
          {tile_threads}};
}

const std::int32_t* data_of(View lengths) { return lengths ? lengths.as<std::int32_t>() : nullptr; }

void attention_forward(const Stream& stream, const Attention& attention, Tensor y, Tensor lse,
                       Workspace, View qkv, View lengths) {
  const AttentionShape s(attention, qkv.shape);
  for_device_float(qkv.dtype, [&]<class T>(T) {
    launch<&attention_rows<T>>(stream, grid_of(s), s, attention.causal, static_cast<float>(s.scale),
                               y.as<T>(), lse.as<float>(), qkv.as<T>(), data_of(lengths));
  });
}

void attention_dgrad(const Stream& stream, const Attention& attention, Tensor dqkv,
                     Workspace workspace, View dy, View qkv, View y, View lse, View lengths) {
  const AttentionShape s(attention, qkv.shape);
  const Index rows = s.batch * s.heads * s.tokens;
  const auto scale = static_cast<float>(s.scale);
  auto* delta = workspace.take<float>(rows);
  for_device_float(qkv.dtype, [&]<class T>(T) {
    launch<&attention_delta<T>>(
        stream, {{blocks_of(divide_up(rows, tile_threads / warp_size))}, {tile_threads}}, s, delta,
        dy.as<T>(), y.as<T>());
    launch<&attention_dgrad_rows<T, false>>(stream, grid_of(s), s, attention.causal, scale,
                                            dqkv.as<T>(), dy.as<T>(), qkv.as<T>(), lse.as<float>(),
                                            delta, data_of(lengths));
    launch<&attention_dgrad_rows<T, true>>(stream, grid_of(s), s, attention.causal, scale,
                                           dqkv.as<T>(), dy.as<T>(), qkv.as<T>(), lse.as<float>(),
                                           delta, data_of(lengths));
  });
}

Bytes attention_forward_workspace(const Stream&, const Attention&, const TensorType&, bool) {
  return 0;
}

Bytes attention_dgrad_workspace(const Stream&, const Attention& attention, const TensorType& qkv,
                                bool) {
  const AttentionShape s(attention, qkv.shape);
  return Workspace::padded(static_cast<Bytes>(s.batch * s.heads * s.tokens) * sizeof(float));
}

const OnDevice<&framefold::attention_forward> forward_path(attention_forward);
const OnDevice<&framefold::attention_dgrad> dgrad_path(attention_dgrad);
const OnDevice<&framefold::attention_forward_workspace> forward_space(attention_forward_workspace);
const OnDevice<&framefold::attention_dgrad_workspace> dgrad_space(attention_dgrad_workspace);

}  // namespace
}  // namespace gpu
}  // namespace framefold

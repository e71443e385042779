// Device code of attention. Compute-bound: the floor stands in attention.h. Plain: products of f32
// tiles through shared memory, 64 rows and 64 columns of scores at once; scores meet the next
// product in shared memory and nowhere else. Heads of more than 64 channels are made 64 at a time,
// from scores computed anew. Share reached: not measured.
#pragma once

#include "kernels/attention.h"
#include "kernels/device/reduce.cuh"
#include "kernels/matmul.cuh"

namespace framefold::gpu {

constexpr int score_step = tile_side + 4;  // from one column of scores to the next

// Which head's rows a block makes, and which of their channels.
struct AttentionBlock {
  Index b, h, length, first_row, first_channel;

  __device__ __forceinline__ AttentionBlock(const AttentionShape& s, const std::int32_t* lengths) {
    const Index tiles = divide_up(s.tokens, tile_side);
    h = blockIdx.x / tiles % s.heads;
    b = blockIdx.x / tiles / s.heads;
    length = lengths ? lengths[b] : s.tokens;
    length = length < 0 ? 0 : (length < s.tokens ? length : s.tokens);
    first_row = blockIdx.x % tiles * tile_side;
    first_channel = static_cast<Index>(blockIdx.y) * tile_side;
  }
};

// Tokens by channels, or channels by tokens, of one head.
template <class T>
__device__ __forceinline__ MatrixOperand<T> tokens_of(const T* head, Index step) {
  return {head, 0, step, 1, true};
}
template <class T>
__device__ __forceinline__ MatrixOperand<T> channels_of(const T* head, Index step) {
  return {head, 0, 1, step, false};
}

// Over the 16 threads that share rows of scores.
template <class Join>
__device__ __forceinline__ float over_columns(float value, Join join) {
#pragma unroll
  for (int bits = tile_side / 8; bits > 0; bits /= 2)
    value = join(value, __shfl_xor_sync(all_lanes, value, bits));
  return value;
}

template <class T>
__global__ void __launch_bounds__(tile_threads)
    attention_rows(AttentionShape s, bool causal, float scale, T* y, float* lse, const T* qkv,
                   const std::int32_t* lengths) {
  FRAMEFOLD_SHARED(Tile, a_tile, [2]);
  FRAMEFOLD_SHARED(Tile, b_tile, [2]);
  FRAMEFOLD_SHARED(float, scores, [tile_side * score_step]);
  const AttentionBlock block(s, lengths);
  const Index b = block.b;
  const Index h = block.h;
  const int row = tile_row();
  const int column = tile_column();
  const auto queries = tokens_of(qkv + s.query(b, h), s.row);
  const auto keys = tokens_of(qkv + s.key(b, h), s.row);
  const MatrixOperand<float, true> weights{scores, 0, 1, score_step, false};
  float most[4];
  float total[4] = {};
  float sum[4][4] = {};
  for (float& value : most) value = -INFINITY;
  Index end = block.first_row < block.length ? block.length : 0;
  if (causal && block.first_row + tile_side < end) end = block.first_row + tile_side;
  for (Index first = 0; first < end; first += tile_side) {
    float score[4][4] = {};
    add_products(TileFetch(queries, 0, block.first_row, block.length),
                 TileFetch(keys, 0, first, end), 0, s.depth, true, a_tile, b_tile, score);
    for (int r = 0; r < 4; ++r) {
      const Index i = block.first_row + row + r;
      float largest = most[r];
      for (int c = 0; c < 4; ++c) {
        const Index j = first + column + c;
        const bool seen = j < end && (!causal || j <= i);
        score[r][c] = seen ? scale * score[r][c] : -INFINITY;
        largest = Greater{}(largest, score[r][c]);
      }
      largest = over_columns(largest, Greater{});
      const float shrink = expf(most[r] - largest);
      float part = 0;
      for (int c = 0; c < 4; ++c) {
        const float weight = expf(score[r][c] - largest);
        scores[(column + c) * score_step + row + r] = weight;
        part += weight;
        sum[r][c] *= shrink;
      }
      total[r] = total[r] * shrink + over_columns(part, Plus{});
      most[r] = largest;
    }
    __syncthreads();
    const auto values = channels_of(qkv + s.value(b, h) + first * s.row, s.row);
    add_products(TileFetch(weights, 0, 0, tile_side),
                 TileFetch(values, 0, block.first_channel, s.depth), 0,
                 end - first < tile_side ? end - first : tile_side, true, a_tile, b_tile, sum);
  }
  for (int r = 0; r < 4; ++r) {
    const Index i = block.first_row + row + r;
    if (i >= s.tokens) break;
    const bool there = i < block.length;
    for (int c = 0; c < 4; ++c) {
      const Index channel = block.first_channel + column + c;
      if (channel < s.depth)
        y[s.out(b, h) + i * s.out_row + channel] = from_f32<T>(there ? sum[r][c] / total[r] : 0);
    }
    if (block.first_channel == 0 && column == 0)
      lse[(b * s.heads + h) * s.tokens + i] = there ? most[r] + logf(total[r]) : 0;
  }
}

// delta[b, h, i] = dy[i] . y[i], a warp for each.
template <class T>
__global__ void __launch_bounds__(tile_threads)
    attention_delta(AttentionShape s, float* delta, const T* dy, const T* y) {
  const Index at =
      static_cast<Index>(blockIdx.x) * (tile_threads / warp_size) + threadIdx.x / warp_size;
  if (at >= s.batch * s.heads * s.tokens) return;
  const Index first =
      s.out(at / s.tokens / s.heads, at / s.tokens % s.heads) + at % s.tokens * s.out_row;
  float sum = 0;
  for (Index c = threadIdx.x % warp_size; c < s.depth; c += warp_size)
    sum += to_f32(dy[first + c]) * to_f32(y[first + c]);
  sum = warp_all(sum, Plus{});
  if (threadIdx.x % warp_size == 0) delta[at] = sum;
}

// Rows are queries and columns keys, for dq; or rows are keys and columns queries, for dk and dv.
template <class T, bool of_keys>
__global__ void __launch_bounds__(tile_threads)
    attention_dgrad_rows(AttentionShape s, bool causal, float scale, T* dqkv, const T* dy,
                         const T* qkv, const float* lse, const float* delta,
                         const std::int32_t* lengths) {
  FRAMEFOLD_SHARED(Tile, a_tile, [2]);
  FRAMEFOLD_SHARED(Tile, b_tile, [2]);
  FRAMEFOLD_SHARED(float, scores, [tile_side * score_step]);
  const AttentionBlock block(s, lengths);
  const Index b = block.b;
  const Index h = block.h;
  const int row = tile_row();
  const int column = tile_column();
  const T* queries = qkv + s.query(b, h);
  const T* keys = qkv + s.key(b, h);
  const T* values = qkv + s.value(b, h);
  const T* cotangents = dy + s.out(b, h);
  const MatrixOperand<float, true> weights{scores, 0, 1, score_step, false};
  const auto add_weighted = [&](float(&sum)[4][4], const T* from, Index step, Index count) {
    const auto channels = channels_of(from, step);
    add_products(TileFetch(weights, 0, 0, tile_side),
                 TileFetch(channels, 0, block.first_channel, s.depth), 0, count, true, a_tile,
                 b_tile, sum);
  };
  float by_score[4][4] = {};   // dq or dk
  float by_weight[4][4] = {};  // dv
  Index begin = 0;
  Index end = block.first_row < block.length ? block.length : 0;
  if (causal && of_keys) begin = block.first_row;
  if (causal && !of_keys && block.first_row + tile_side < end) end = block.first_row + tile_side;
  for (Index first = begin; first < end; first += tile_side) {
    const Index count = end - first < tile_side ? end - first : tile_side;
    float score[4][4] = {};
    float slope[4][4] = {};
    const auto row_tokens = tokens_of(of_keys ? keys : queries, s.row);
    const auto column_tokens = tokens_of(of_keys ? queries : keys, s.row);
    add_products(TileFetch(row_tokens, 0, block.first_row, block.length),
                 TileFetch(column_tokens, 0, first, end), 0, s.depth, true, a_tile, b_tile, score);
    const auto row_values = of_keys ? tokens_of(values, s.row) : tokens_of(cotangents, s.out_row);
    const auto column_values =
        of_keys ? tokens_of(cotangents, s.out_row) : tokens_of(values, s.row);
    add_products(TileFetch(row_values, 0, block.first_row, block.length),
                 TileFetch(column_values, 0, first, end), 0, s.depth, true, a_tile, b_tile, slope);
    for (int r = 0; r < 4; ++r)
      for (int c = 0; c < 4; ++c) {
        const Index i = of_keys ? first + column + c : block.first_row + row + r;
        const Index j = of_keys ? block.first_row + row + r : first + column + c;
        const bool seen = i < block.length && j < block.length && (!causal || j <= i);
        const Index at = (b * s.heads + h) * s.tokens + i;
        score[r][c] = seen ? expf(scale * score[r][c] - lse[at]) : 0.0F;
        slope[r][c] = seen ? scale * score[r][c] * (slope[r][c] - delta[at]) : 0.0F;
        scores[(column + c) * score_step + row + r] = slope[r][c];
      }
    __syncthreads();
    add_weighted(by_score, (of_keys ? queries : keys) + first * s.row, s.row, count);
    if (of_keys) {
      for (int r = 0; r < 4; ++r)
        for (int c = 0; c < 4; ++c) scores[(column + c) * score_step + row + r] = score[r][c];
      __syncthreads();
      add_weighted(by_weight, cotangents + first * s.out_row, s.out_row, count);
    }
  }
  for (int r = 0; r < 4; ++r)
    for (int c = 0; c < 4; ++c) {
      const Index n = block.first_row + row + r;
      const Index channel = block.first_channel + column + c;
      if (n >= s.tokens || channel >= s.depth) continue;
      const Index at = n * s.row + channel;
      dqkv[(of_keys ? s.key(b, h) : s.query(b, h)) + at] = from_f32<T>(by_score[r][c]);
      if (of_keys) dqkv[s.value(b, h) + at] = from_f32<T>(by_weight[r][c]);
    }
}

}  // namespace framefold::gpu

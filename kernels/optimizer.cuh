// Device code of updates: everything that a step does to a weight in one pass. Memory-bound; the
// floor is one read of the gradient and one read and write of the weights and of each state. Share
// reached: not measured.
#pragma once

#include "kernels/device/pack.cuh"
#include "kernels/optimizer.h"

namespace framefold::gpu {

constexpr int update_threads = 256;

struct SgdRule {
  float decay, rate, momentum;
  bool nesterov;

  __device__ __forceinline__ void at(const float* now) { rate *= now[0]; }
  __device__ __forceinline__ void operator()(float g, float& w, float& u, float&) const {
    g += decay * w;
    if (momentum == 0) {
      w -= rate * g;
      return;
    }
    u = momentum * u + g;
    w -= rate * (nesterov ? g + momentum * u : u);
  }
};

struct RmsPropRule {
  float decay, rate, smoothing, rest, epsilon, momentum;

  __device__ __forceinline__ void at(const float* now) { rate *= now[0]; }
  __device__ __forceinline__ void operator()(float g, float& w, float& s, float& u) const {
    g += decay * w;
    s = smoothing * s + rest * g * g;
    const float d = g / (sqrtf(s) + epsilon);
    u = momentum * u + d;
    w -= rate * u;
  }
};

struct AdamRule {
  float decay, keep, shrink, rate, beta1, rest1, beta2, rest2, root, epsilon;

  __device__ __forceinline__ void at(const float* now) {
    keep = 1 - now[0] * shrink;
    rate *= now[0] * now[1];
    root = now[2];
  }
  __device__ __forceinline__ void operator()(float g, float& w, float& m, float& v) const {
    g += decay * w;
    m = beta1 * m + rest1 * g;
    v = beta2 * v + rest2 * g * g;
    w = keep * w - rate * m / (sqrtf(v) * root + epsilon);
  }
};

// The flat buffers of an update; null ones are left alone.
struct UpdateBuffers {
  float* w;
  float* state[2];
  const float* gradient;
  const float* clip;
  float* average;
  bf16* narrow;
  const float* now;
  float scale, average_keep, average_rest;
};

template <int N, class Rule>
__device__ __forceinline__ void update_pack(const Rule& rule, const UpdateBuffers& b, Index at) {
  float g[N];
  float w[N];
  float state[2][N] = {};
  load(g, b.gradient + at);
  load(w, b.w + at);
  for (int s = 0; s < 2; ++s)
    if (b.state[s]) load(state[s], b.state[s] + at);
  const float scale = b.clip ? b.scale * *b.clip : b.scale;
  for (int i = 0; i < N; ++i) rule(scale * g[i], w[i], state[0][i], state[1][i]);
  store(b.w + at, w);
  for (int s = 0; s < 2; ++s)
    if (b.state[s]) store(b.state[s] + at, state[s]);
  if (b.narrow) store(b.narrow + at, w);
  if (!b.average) return;
  float average[N];
  load(average, b.average + at);
  for (int i = 0; i < N; ++i) average[i] = b.average_keep * average[i] + b.average_rest * w[i];
  store(b.average + at, average);
}

template <int N, class Rule>
__global__ void __launch_bounds__(update_threads)
    update_packs(Rule rule, UpdateBuffers buffers, Index count) {
  if (buffers.clip && !(*buffers.clip == *buffers.clip)) return;  // a step to be skipped
  if (buffers.now) rule.at(buffers.now);
  const Index begin = (static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x) * N;
  if (begin + N <= count)
    update_pack<N>(rule, buffers, begin);
  else
    for (Index i = begin; i < count; ++i) update_pack<1>(rule, buffers, i);
}

// factor [2]: in its second place the sum of squares comes and the norm goes.
__global__ void __launch_bounds__(warp_size)
    finish_clip(float limit, const float* loss, float* factor) {
  if (threadIdx.x > 0) return;
  const float norm = sqrtf(factor[1]);
  const float nothing = 0 * norm + (loss ? 0 * *loss : 0.0F);  // NaN unless both are finite
  factor[0] = nothing + (norm > limit ? limit / norm : 1.0F);
  factor[1] = norm;
}

}  // namespace framefold::gpu

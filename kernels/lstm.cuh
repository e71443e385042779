// Device code of the LSTM through time: a kernel for each step, the product with Wh and the gates
// in one. Its columns are turned so that a thread holds the four gates of a unit. Compute-bound
// where the batch is large, else bound by reading Wh at every step; floors stand in lstm.h. Plain:
// the state goes through memory between the steps. Shares reached: not measured.
#pragma once

#include "kernels/device/columns.cuh"
#include "kernels/lstm.h"
#include "kernels/matmul.cuh"

namespace framefold::gpu {

struct LstmExtent {
  Index batch, steps, hidden;
  const std::int32_t* lengths;  // null: all steps

  __device__ __forceinline__ Index length(Index b) const {
    if (!lengths) return steps;
    return lengths[b] < 0 ? 0 : (lengths[b] < steps ? lengths[b] : steps);
  }
};

// Column 4 n + q is gate q of unit n.
struct GateColumns {
  const float* weight;  // [H, 4H]
  Index hidden;
  static constexpr bool k_fast = false;
  static constexpr bool copied = true;

  __device__ __forceinline__ const float* row(Index, Index j) const {
    return weight + j % 4 * hidden + j / 4;
  }
  __device__ __forceinline__ Index step(Index k) const { return k * 4 * hidden; }
  __device__ __forceinline__ const float* at(const float* row, Index step) const {
    return row + step;
  }
};

template <class T>
__device__ __forceinline__ float value_or_0(const T* from, Index at) {
  return from ? to_f32(from[at]) : 0.0F;
}

__device__ __forceinline__ float lstm_sigmoid(float x) { return 1 / (1 + expf(-x)); }

// Step t, for which x Wx + bias stands in gates.
template <class T>
__global__ void __launch_bounds__(tile_threads)
    lstm_step(LstmExtent s, Index t, T* h, float* gates, float* cells, const float* weight,
              const float* peepholes, const T* h0, const T* c0) {
  FRAMEFOLD_SHARED(Tile, a_tile, [2]);
  FRAMEFOLD_SHARED(Tile, b_tile, [2]);
  const Index first_row = static_cast<Index>(blockIdx.x) * tile_side;
  const Index first_column = static_cast<Index>(blockIdx.y) * tile_side;
  float sum[4][4] = {};
  const T* before = t > 0 ? h + (t - 1) * s.hidden : h0;
  if (before) {
    const MatrixOperand<T> rows{before, 0, t > 0 ? s.steps * s.hidden : s.hidden, 1, true};
    const GateColumns columns{weight, s.hidden};
    add_products(TileFetch(rows, 0, first_row, s.batch),
                 TileFetch(columns, 0, first_column, 4 * s.hidden), 0, s.hidden, true, a_tile,
                 b_tile, sum);
  }
  const Index n = (first_column + tile_column()) / 4;
  if (n >= s.hidden) return;
  for (int r = 0; r < 4; ++r) {
    const Index b = first_row + tile_row() + r;
    if (b >= s.batch) return;
    float* z = gates + (b * s.steps + t) * 4 * s.hidden + n;
    const Index at = (b * s.steps + t) * s.hidden + n;
    if (t >= s.length(b)) {
      for (int gate = 0; gate < 4; ++gate) z[gate * s.hidden] = 0;
      cells[at] = 0;
      h[at] = from_f32<T>(0);
      continue;
    }
    const float c_before = t > 0 ? cells[at - s.hidden] : value_or_0(c0, b * s.hidden + n);
    for (int gate = 0; gate < 4; ++gate) sum[r][gate] += z[gate * s.hidden];
    if (peepholes) sum[r][0] += peepholes[n] * c_before;
    if (peepholes) sum[r][1] += peepholes[s.hidden + n] * c_before;
    const float i = lstm_sigmoid(sum[r][0]);
    const float f = lstm_sigmoid(sum[r][1]);
    const float g = tanhf(sum[r][2]);
    const float c = f * c_before + i * g;
    if (peepholes) sum[r][3] += peepholes[2 * s.hidden + n] * c;
    const float o = lstm_sigmoid(sum[r][3]);
    z[0] = i;
    z[s.hidden] = f;
    z[2 * s.hidden] = g;
    z[3 * s.hidden] = o;
    cells[at] = c;
    h[at] = from_f32<T>(o * tanhf(c));
  }
}

// The state after each row's last step.
template <class T>
__global__ void __launch_bounds__(tile_threads)
    lstm_last(LstmExtent s, T* h_last, T* c_last, const T* h, const float* cells, const T* h0,
              const T* c0) {
  const Index i = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= s.batch * s.hidden) return;
  const Index b = i / s.hidden;
  const Index length = s.length(b);
  const Index at = (b * s.steps + length - 1) * s.hidden + i % s.hidden;
  h_last[i] = length > 0 ? h[at] : from_f32<T>(value_or_0(h0, i));
  c_last[i] = from_f32<T>(length > 0 ? cells[at] : value_or_0(c0, i));
}

// What backward reads and writes at every step.
template <class T>
struct LstmBackward {
  LstmExtent s;
  float *dgates, *dc;  // dc [B, H]: carried from step to step
  T *dh0, *dc0;
  const float *gates, *cells, *weight, *peepholes;
  const T *c0, *dh, *dh_last, *dc_last;
};

// Step t from the gradients of step t + 1; step -1 writes those of the state at the start.
template <class T>
__global__ void __launch_bounds__(tile_threads, 2) lstm_step_back(LstmBackward<T> l, Index t) {
  FRAMEFOLD_SHARED(Tile, a_tile, [2]);
  FRAMEFOLD_SHARED(Tile, b_tile, [2]);
  const LstmExtent& s = l.s;
  const Index first_row = static_cast<Index>(blockIdx.x) * tile_side;
  const Index first_column = static_cast<Index>(blockIdx.y) * tile_side;
  float sum[4][4] = {};
  if (t + 1 < s.steps) {
    const MatrixOperand<float> rows{l.dgates + (t + 1) * 4 * s.hidden, 0, s.steps * 4 * s.hidden, 1,
                                    true};
    const MatrixOperand<float> columns{l.weight, 0, 4 * s.hidden, 1, true};
    add_products(TileFetch(rows, 0, first_row, s.batch),
                 TileFetch(columns, 0, first_column, s.hidden), 0, 4 * s.hidden, true, a_tile,
                 b_tile, sum);
  }
  for (int r = 0; r < 4; ++r)
    for (int k = 0; k < 4; ++k) {
      const Index b = first_row + tile_row() + r;
      const Index n = first_column + tile_column() + k;
      if (b >= s.batch || n >= s.hidden) continue;
      const Index length = s.length(b);
      const Index state = b * s.hidden + n;
      const Index at = (b * s.steps + t) * s.hidden + n;
      const Index gate = (b * s.steps + t) * 4 * s.hidden + n;
      if (t >= length) {
        for (int q = 0; q < 4; ++q) l.dgates[gate + q * s.hidden] = 0;
        continue;
      }
      const bool last = t + 1 == length;
      const float dh = last ? value_or_0(l.dh_last, state) : sum[r][k];
      const float dc = last ? value_or_0(l.dc_last, state) : l.dc[state];
      if (t < 0) {
        if (l.dh0) l.dh0[state] = from_f32<T>(dh);
        if (l.dc0) l.dc0[state] = from_f32<T>(dc);
        continue;
      }
      const float i = l.gates[gate];
      const float f = l.gates[gate + s.hidden];
      const float g = l.gates[gate + 2 * s.hidden];
      const float o = l.gates[gate + 3 * s.hidden];
      const float c_before = t > 0 ? l.cells[at - s.hidden] : value_or_0(l.c0, state);
      const float d = dh + value_or_0(l.dh, at);
      const float u = tanhf(l.cells[at]);
      const float dzo = d * u * o * (1 - o);
      float e = dc + d * o * (1 - u * u);
      if (l.peepholes) e += dzo * l.peepholes[2 * s.hidden + n];
      const float dzi = e * g * i * (1 - i);
      const float dzf = e * c_before * f * (1 - f);
      l.dgates[gate] = dzi;
      l.dgates[gate + s.hidden] = dzf;
      l.dgates[gate + 2 * s.hidden] = e * i * (1 - g * g);
      l.dgates[gate + 3 * s.hidden] = dzo;
      e *= f;
      if (l.peepholes) e += dzi * l.peepholes[n] + dzf * l.peepholes[s.hidden + n];
      l.dc[state] = e;
    }
}

// The terms of the peepholes' gradients.
template <class T>
struct PeepholeTerms {
  static constexpr int N = 1;
  static constexpr int sums = 3;
  Index steps, hidden;
  const float *dgates, *cells;
  const T* c0;

  __device__ __forceinline__ void operator()(Index row, Index n, float (&sum)[3][1]) const {
    const float* dz = dgates + row * 4 * hidden + n;
    const float* c = cells + row * hidden + n;
    const float before = row % steps > 0 ? c[-hidden] : value_or_0(c0, row / steps * hidden + n);
    sum[0][0] += dz[0] * before;
    sum[1][0] += dz[hidden] * before;
    sum[2][0] += dz[3 * hidden] * c[0];
  }
};

struct AddPeepholes {
  float* total;  // [3H]
  Index hidden;

  __device__ __forceinline__ void operator()(Index, Index n, const float (&sum)[3]) const {
    for (int o = 0; o < 3; ++o) total[o * hidden + n] += sum[o];
  }
};

}  // namespace framefold::gpu

#include "kernels/microkernel.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels/error.h"
#include "kernels/simd.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace framefold {
namespace {

// Every loop over rows and vectors is unrolled, so the arrays below live in registers.
#define FRAMEFOLD_UNROLL _Pragma("GCC unroll 16")

using TileFunction = void (*)(int cols, const MicroTask& task);

const float* at(const float* row, Index byte_offset) {
  return reinterpret_cast<const float*>(reinterpret_cast<const char*>(row) + byte_offset);
}

#if defined(__x86_64__)

template <int rows, int vectors>
__attribute__((target("avx512f"))) void tile_avx512(int cols, const MicroTask& task) {
  const auto last = static_cast<__mmask16>((1U << (cols - 16 * (vectors - 1))) - 1U);
  __m512 sum[rows][vectors];
  FRAMEFOLD_UNROLL
  for (auto& row : sum)
    for (auto& vector : row) vector = _mm512_setzero_ps();

  const float* const* next = task.a;
  for (Index s = 0; s < task.segments; ++s, next += rows) {
    const float* a[rows];
    FRAMEFOLD_UNROLL
    for (int i = 0; i < rows; ++i) a[i] = next[i];
    const float* b = task.b[s];
    Index offset = 0;
    for (Index k = 0; k < task.depth; ++k) {
      __m512 y[vectors];
      FRAMEFOLD_UNROLL
      for (int v = 0; v < vectors; ++v)
        y[v] = _mm512_maskz_loadu_ps(v + 1 < vectors ? __mmask16{0xffff} : last, b + 16 * v);
      FRAMEFOLD_UNROLL
      for (int i = 0; i < rows; ++i) {
        const __m512 x = _mm512_set1_ps(*at(a[i], offset));
        for (int v = 0; v < vectors; ++v) sum[i][v] = _mm512_fmadd_ps(x, y[v], sum[i][v]);
      }
      offset += task.a_step * Index{sizeof(float)};
      b += task.b_step;
    }
  }

  FRAMEFOLD_UNROLL
  for (int i = 0; i < rows; ++i)
    for (int v = 0; v < vectors; ++v) {
      const __mmask16 mask = v + 1 < vectors ? __mmask16{0xffff} : last;
      float* c = task.c + i * task.ldc + 16 * v;
      __m512 y = sum[i][v];
      if (task.bias) y = _mm512_add_ps(y, _mm512_maskz_loadu_ps(mask, task.bias + 16 * v));
      if (task.accumulate) y = _mm512_add_ps(y, _mm512_maskz_loadu_ps(mask, c));
      _mm512_mask_storeu_ps(c, mask, y);
    }
}

// `tail`: the last vector is masked; a full tile is spared the cost, which AVX2 does not hide.
template <int rows, int vectors, bool tail>
__attribute__((target("avx2,fma"))) void tile_avx2(int cols, const MicroTask& task) {
  const __m256i last = _mm256_cmpgt_epi32(_mm256_set1_epi32(cols - 8 * (vectors - 1)),
                                          _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  __m256 sum[rows][vectors];
  FRAMEFOLD_UNROLL
  for (auto& row : sum)
    for (auto& vector : row) vector = _mm256_setzero_ps();

  const float* const* next = task.a;
  for (Index s = 0; s < task.segments; ++s, next += rows) {
    const float* a[rows];
    FRAMEFOLD_UNROLL
    for (int i = 0; i < rows; ++i) a[i] = next[i];
    const float* b = task.b[s];
    Index offset = 0;
    for (Index k = 0; k < task.depth; ++k) {
      __m256 y[vectors];
      FRAMEFOLD_UNROLL
      for (int v = 0; v < vectors; ++v)
        y[v] = tail && v + 1 == vectors ? _mm256_maskload_ps(b + 8 * v, last)
                                        : _mm256_loadu_ps(b + 8 * v);
      FRAMEFOLD_UNROLL
      for (int i = 0; i < rows; ++i) {
        const __m256 x = _mm256_broadcast_ss(at(a[i], offset));
        for (int v = 0; v < vectors; ++v) sum[i][v] = _mm256_fmadd_ps(x, y[v], sum[i][v]);
      }
      offset += task.a_step * Index{sizeof(float)};
      b += task.b_step;
    }
  }

  FRAMEFOLD_UNROLL
  for (int i = 0; i < rows; ++i)
    for (int v = 0; v < vectors; ++v) {
      const bool masked = tail && v + 1 == vectors;
      const auto load = [&](const float* p) __attribute__((target("avx2,fma"))) {
        return masked ? _mm256_maskload_ps(p, last) : _mm256_loadu_ps(p);
      };
      float* c = task.c + i * task.ldc + 8 * v;
      __m256 y = sum[i][v];
      if (task.bias) y = _mm256_add_ps(y, load(task.bias + 8 * v));
      if (task.accumulate) y = _mm256_add_ps(y, load(c));
      if (masked)
        _mm256_maskstore_ps(c, last, y);
      else
        _mm256_storeu_ps(c, y);
    }
}

template <int... row>
constexpr auto avx512_tiles(std::integer_sequence<int, row...> /*rows*/) {
  return std::array<std::array<TileFunction, sizeof...(row)>, 2>{
      {{tile_avx512<row + 1, 1>...}, {tile_avx512<row + 1, 2>...}}};
}

void run_avx512(int rows, int cols, const MicroTask& task) {
  static constexpr auto tiles = avx512_tiles(std::make_integer_sequence<int, 12>{});
  tiles[cols > 16][static_cast<std::size_t>(rows - 1)](cols, task);
}

template <int... row>
constexpr auto avx2_tiles(std::integer_sequence<int, row...> /*rows*/) {
  return std::array<std::array<TileFunction, sizeof...(row)>, 4>{
      {{tile_avx2<row + 1, 1, false>...},
       {tile_avx2<row + 1, 1, true>...},
       {tile_avx2<row + 1, 2, false>...},
       {tile_avx2<row + 1, 2, true>...}}};
}

void run_avx2(int rows, int cols, const MicroTask& task) {
  static constexpr auto tiles = avx2_tiles(std::make_integer_sequence<int, 6>{});
  const std::size_t kind = (cols > 8 ? 2U : 0U) + (cols % 8 ? 1U : 0U);
  tiles[kind][static_cast<std::size_t>(rows - 1)](cols, task);
}

#endif

// Full tiles have constant bounds, so that the compiler keeps the sums in registers.
template <bool full>
void tile_portable(int some_rows, int some_cols, const MicroTask& task) {
  const int rows = full ? 4 : some_rows;
  const int cols = full ? 8 : some_cols;
  float sum[4][8] = {};
  for (Index s = 0; s < task.segments; ++s)
    for (Index k = 0; k < task.depth; ++k) {
      const float* b = task.b[s] + k * task.b_step;
      for (int i = 0; i < rows; ++i) {
        const float x = task.a[s * rows + i][k * task.a_step];
        for (int n = 0; n < cols; ++n) sum[i][n] += x * b[n];
      }
    }
  for (int i = 0; i < rows; ++i)
    for (int n = 0; n < cols; ++n) {
      float& c = task.c[i * task.ldc + n];
      c = sum[i][n] + (task.bias ? task.bias[n] : 0.0F) + (task.accumulate ? c : 0.0F);
    }
}

void run_portable(int rows, int cols, const MicroTask& task) {
  if (rows == 4 && cols == 8)
    tile_portable<true>(rows, cols, task);
  else
    tile_portable<false>(rows, cols, task);
}

std::vector<MicroKernel> available() {
  std::vector<MicroKernel> kernels;
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) kernels.push_back({12, 32, "avx512", run_avx512});
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    kernels.push_back({6, 16, "avx2", run_avx2});
#endif
  kernels.push_back({4, 8, "portable", run_portable});
  return kernels;
}

const MicroKernel& chosen() {
  const char* forced = std::getenv("FRAMEFOLD_ISA");
  if (!forced || !*forced) return micro_kernels().front();
  for (const MicroKernel& kernel : micro_kernels())
    if (std::string_view(forced) == kernel.name) return kernel;
  fail(ErrorCode::unavailable, "FRAMEFOLD_ISA is ", forced,
       ", expected avx512, avx2 or portable, and one that this processor has");
}

}  // namespace

std::span<const MicroKernel> micro_kernels() {
  static const std::vector<MicroKernel> kernels = available();
  return kernels;
}

const MicroKernel& micro_kernel() {
  static const MicroKernel& kernel = chosen();
  return kernel;
}

Index panel_count(Index cols) {
  const Index width = micro_kernel().cols;
  return (cols + width - 1) / width;
}

Index packed_size(Index depth, Index cols) {
  return panel_count(cols) * micro_kernel().cols * depth;
}

void pack_panels(float* packed, const float* b, Index ldb, bool transposed, Index depth, Index cols,
                 Index first, Index last) {
  const Index width = micro_kernel().cols;
  for (Index panel = first; panel < last; ++panel) {
    float* to = packed + panel * depth * width;
    const Index begin = panel * width;
    const Index count = std::min(width, cols - begin);
    for (Index k = 0; k < depth; ++k) {
      const float* from = transposed ? b + begin * ldb + k : b + k * ldb + begin;
      const Index step = transposed ? ldb : 1;
      for (Index n = 0; n < count; ++n) to[k * width + n] = from[n * step];
      for (Index n = count; n < width; ++n) to[k * width + n] = 0.0F;
    }
  }
}

namespace {

FRAMEFOLD_SIMD void leaky_row(float* y, Index count, float slope) {
  for (Index i = 0; i < count; ++i) y[i] = y[i] > 0.0F ? y[i] : slope * y[i];
}
FRAMEFOLD_SIMD void relu_row(float* y, Index count) {
  for (Index i = 0; i < count; ++i) y[i] = y[i] < 0.0F ? 0.0F : y[i];
}
FRAMEFOLD_SIMD void sigmoid_row(float* y, Index count) {
  for (Index i = 0; i < count; ++i) y[i] = simd::sigmoid(y[i]);
}
FRAMEFOLD_SIMD void tanh_row(float* y, Index count) {
  for (Index i = 0; i < count; ++i) y[i] = simd::tanh(y[i]);
}

}  // namespace

void activate_tile(Activation activation, float* c, Index ldc, Index rows, Index cols) {
  for (Index i = 0; i < rows; ++i) {
    float* row = c + i * ldc;
    switch (activation.kind) {
      case Activation::none: return;
      case Activation::relu: relu_row(row, cols); break;
      case Activation::leaky_relu: leaky_row(row, cols, activation.slope); break;
      case Activation::sigmoid: sigmoid_row(row, cols); break;
      case Activation::tanh: tanh_row(row, cols); break;
      default:
        fail(ErrorCode::argument, "a fused activation's derivative must follow from its output: ",
             "gelu and silu stand as operations of their own");
    }
  }
}

}  // namespace framefold

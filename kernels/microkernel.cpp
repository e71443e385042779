#include "kernels/microkernel.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels/error.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

// GCC's generic tuning spills addresses to vector registers, from where they come back only behind
// all multiplications that wait: a quarter of the time of short segments.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#pragma GCC target("tune=skylake-avx512")
#endif

namespace framefold {
namespace {

// Every loop over rows and vectors is unrolled, so the arrays below live in registers.
#define FRAMEFOLD_UNROLL _Pragma("GCC unroll 16")
#define FRAMEFOLD_TWICE _Pragma("GCC unroll 2")  // worth 6 % on Zen 4

// Rows of B that are fetched ahead: where B is read in place, no hardware does it. Into the second
// level: rows whole pages apart would evict one another from the first before they are read.
constexpr Index prefetch_rows = 16;

using TileFunction = void (*)(int cols, const MicroTask& task);

const float* behind(const float* row, Index byte_offset) {
  return reinterpret_cast<const float*>(reinterpret_cast<const char*>(row) + byte_offset);
}

// A segment's rows: pointers, and bytes from there.
struct Rows {
  const float* const* from;
  Index move;

  const float* operator[](int i) const { return behind(from[i], move); }
};

// The compiler must not carry the addresses of C's rows through the loop over k: they would push
// the row pointers of A out of the registers, and be loaded again between stores.
float* renewed(float* p) {
#if defined(__GNUC__)
  asm("" : "+r"(p));
#endif
  return p;
}

Rows rows_of(const MicroTask& task, Index segment, int rows) {
  if (!task.at) return {task.a + segment * rows, 0};
  return {task.a + task.at[segment].first, task.at[segment].move * Index{sizeof(float)}};
}

#if defined(__x86_64__)

// Steps of k that a tile ends with row by row, so that rows are stored while others are multiplied.
// All stores at once fill the queue in which the next tile's multiplications would wait: a hundred
// cycles for each tile on Zen 4.
constexpr Index last_steps = 4;

// `tail`: the last vector is masked. Masked loads and stores are slower, so full tiles go without.
template <int rows, int vectors, bool tail>
__attribute__((target("avx512f"))) void tile_avx512(int cols, const MicroTask& task) {
  const auto last = static_cast<__mmask16>((1U << (cols - 16 * (vectors - 1))) - 1U);
  const auto load = [&](const float* p, int v) __attribute__((target("avx512f"))) {
    return tail && v + 1 == vectors ? _mm512_maskz_loadu_ps(last, p + 16 * v)
                                    : _mm512_loadu_ps(p + 16 * v);
  };
  const Index ldc = task.ldc;
  float* c = task.c + task.fetched;
  __m512 sum[rows][vectors];
  FRAMEFOLD_UNROLL
  for (int i = 0; i < rows; ++i, c = renewed(c + ldc)) {
    FRAMEFOLD_UNROLL
    for (int v = 0; v < vectors; ++v) {
      _mm_prefetch(c + 16 * v, _MM_HINT_T0);
      sum[i][v] = _mm512_setzero_ps();
    }
  }

  const float* a[rows] = {};
  const float* b = nullptr;
  Index offset = 0;
  const float* const* loaded = nullptr;
  const bool by_rows = task.segments > 0 && task.depth >= last_steps;
  for (Index s = 0; s < task.segments; ++s) {
    const Rows own = rows_of(task, s, rows);
    if (own.from != loaded) {
      loaded = own.from;
      FRAMEFOLD_UNROLL
      for (int i = 0; i < rows; ++i) a[i] = loaded[i];
    }
    // Rows of another segment lie elsewhere, where the processor's own prefetching does not look.
    if (s + 1 < task.segments) {
      const Rows next = rows_of(task, s + 1, rows);
      FRAMEFOLD_UNROLL
      for (int i = 0; i < rows; ++i) {
        _mm_prefetch(reinterpret_cast<const char*>(next[i]), _MM_HINT_T0);
        _mm_prefetch(reinterpret_cast<const char*>(next[i]) + 64, _MM_HINT_T0);
      }
    }
    b = task.b[s];
    offset = own.move;
    const Index depth = task.depth - (by_rows && s + 1 == task.segments ? last_steps : 0);
    FRAMEFOLD_TWICE
    for (Index k = 0; k < depth; ++k) {
      __m512 y[vectors];
      FRAMEFOLD_UNROLL
      for (int v = 0; v < vectors; ++v) {
        y[v] = load(b, v);
        if (vectors <= 2)  // wider tiles read panels
          _mm_prefetch(b + prefetch_rows * task.b_step + 16 * v, _MM_HINT_T1);
      }
      FRAMEFOLD_UNROLL
      for (int i = 0; i < rows; ++i) {
        const __m512 x = _mm512_set1_ps(*behind(a[i], offset));
        FRAMEFOLD_UNROLL
        for (int v = 0; v < vectors; ++v) sum[i][v] = _mm512_fmadd_ps(x, y[v], sum[i][v]);
      }
      offset += task.a_step * Index{sizeof(float)};
      b += task.b_step;
    }
  }

  c = renewed(task.c);
  const auto store = [&](int i) __attribute__((target("avx512f"))) {
    FRAMEFOLD_UNROLL
    for (int v = 0; v < vectors; ++v) {
      __m512 result = sum[i][v];
      if (task.bias) result = _mm512_add_ps(result, load(task.bias, v));
      if (task.accumulate) result = _mm512_add_ps(result, load(c, v));
      if (tail && v + 1 == vectors)
        _mm512_mask_storeu_ps(c + 16 * v, last, result);
      else
        _mm512_storeu_ps(c + 16 * v, result);
    }
    c = renewed(c + ldc);
  };
  if (by_rows) {
    __m512 y[last_steps][vectors];
    FRAMEFOLD_UNROLL
    for (int k = 0; k < last_steps; ++k, b += task.b_step) {
      FRAMEFOLD_UNROLL
      for (int v = 0; v < vectors; ++v) y[k][v] = load(b, v);
    }
    const Index step = task.a_step * Index{sizeof(float)};
    FRAMEFOLD_UNROLL
    for (int i = 0; i < rows; ++i) {
      const float* row = behind(a[i], offset);
      FRAMEFOLD_UNROLL
      for (int k = 0; k < last_steps; ++k) {
        const __m512 x = _mm512_set1_ps(*behind(row, k * step));
        FRAMEFOLD_UNROLL
        for (int v = 0; v < vectors; ++v) sum[i][v] = _mm512_fmadd_ps(x, y[k][v], sum[i][v]);
      }
      store(i);
    }
  } else {
    FRAMEFOLD_UNROLL
    for (int i = 0; i < rows; ++i) store(i);
  }
}

template <int rows, int vectors, bool tail>
__attribute__((target("avx2,fma"))) void tile_avx2(int cols, const MicroTask& task) {
  const __m256i last = _mm256_cmpgt_epi32(_mm256_set1_epi32(cols - 8 * (vectors - 1)),
                                          _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  const auto load = [&](const float* p, int v) __attribute__((target("avx2,fma"))) {
    return tail && v + 1 == vectors ? _mm256_maskload_ps(p + 8 * v, last)
                                    : _mm256_loadu_ps(p + 8 * v);
  };
  __m256 sum[rows][vectors];
  FRAMEFOLD_UNROLL
  for (int i = 0; i < rows; ++i)
    for (int v = 0; v < vectors; ++v) {
      _mm_prefetch(task.c + task.fetched + i * task.ldc + 8 * v, _MM_HINT_T0);
      sum[i][v] = _mm256_setzero_ps();
    }

  const float* a[rows] = {};
  const float* const* loaded = nullptr;
  for (Index s = 0; s < task.segments; ++s) {
    const Rows own = rows_of(task, s, rows);
    if (own.from != loaded) {
      loaded = own.from;
      FRAMEFOLD_UNROLL
      for (int i = 0; i < rows; ++i) a[i] = loaded[i];
    }
    const float* b = task.b[s];
    Index offset = own.move;
    FRAMEFOLD_TWICE
    for (Index k = 0; k < task.depth; ++k) {
      __m256 y[vectors];
      FRAMEFOLD_UNROLL
      for (int v = 0; v < vectors; ++v) y[v] = load(b, v);
      _mm_prefetch(b + prefetch_rows * task.b_step, _MM_HINT_T0);
      FRAMEFOLD_UNROLL
      for (int i = 0; i < rows; ++i) {
        const __m256 x = _mm256_broadcast_ss(behind(a[i], offset));
        for (int v = 0; v < vectors; ++v) sum[i][v] = _mm256_fmadd_ps(x, y[v], sum[i][v]);
      }
      offset += task.a_step * Index{sizeof(float)};
      b += task.b_step;
    }
  }

  if (task.bias) {
    FRAMEFOLD_UNROLL
    for (auto& row : sum)
      for (int v = 0; v < vectors; ++v) row[v] = _mm256_add_ps(row[v], load(task.bias, v));
  }
  if (task.accumulate) {
    FRAMEFOLD_UNROLL
    for (int i = 0; i < rows; ++i)
      for (int v = 0; v < vectors; ++v)
        sum[i][v] = _mm256_add_ps(sum[i][v], load(task.c + i * task.ldc, v));
  }
  FRAMEFOLD_UNROLL
  for (int i = 0; i < rows; ++i)
    for (int v = 0; v < vectors; ++v) {
      float* c = task.c + i * task.ldc + 8 * v;
      if (tail && v + 1 == vectors)
        _mm256_maskstore_ps(c, last, sum[i][v]);
      else
        _mm256_storeu_ps(c, sum[i][v]);
    }
}

// The tiles of one variant by [vectors and tail][rows].
template <class Rows>
struct Tiles;
template <int... row>
struct Tiles<std::integer_sequence<int, row...>> {
  static constexpr std::array<std::array<TileFunction, sizeof...(row)>, 4> wide_avx512 = {
      {{tile_avx512<row + 1, 3, false>...},
       {tile_avx512<row + 1, 3, true>...},
       {tile_avx512<row + 1, 4, false>...},
       {tile_avx512<row + 1, 4, true>...}}};
  static constexpr std::array<std::array<TileFunction, sizeof...(row)>, 4> avx512 = {
      {{tile_avx512<row + 1, 1, false>...},
       {tile_avx512<row + 1, 1, true>...},
       {tile_avx512<row + 1, 2, false>...},
       {tile_avx512<row + 1, 2, true>...}}};
  static constexpr std::array<std::array<TileFunction, sizeof...(row)>, 4> avx2 = {
      {{tile_avx2<row + 1, 1, false>...},
       {tile_avx2<row + 1, 1, true>...},
       {tile_avx2<row + 1, 2, false>...},
       {tile_avx2<row + 1, 2, true>...}}};
};

void run_wide_avx512(int rows, int cols, const MicroTask& task) {
  const std::size_t kind = (cols > 48 ? 2U : 0U) + (cols % 16 ? 1U : 0U);
  Tiles<std::make_integer_sequence<int, 4>>::wide_avx512[kind][static_cast<std::size_t>(rows - 1)](
      cols, task);
}

void run_avx512(int rows, int cols, const MicroTask& task) {
  if (cols > 32) return run_wide_avx512(rows, cols, task);
  const std::size_t kind = (cols > 16 ? 2U : 0U) + (cols % 16 ? 1U : 0U);
  Tiles<std::make_integer_sequence<int, 12>>::avx512[kind][static_cast<std::size_t>(rows - 1)](
      cols, task);
}

void run_avx2(int rows, int cols, const MicroTask& task) {
  const std::size_t kind = (cols > 8 ? 2U : 0U) + (cols % 8 ? 1U : 0U);
  Tiles<std::make_integer_sequence<int, 6>>::avx2[kind][static_cast<std::size_t>(rows - 1)](cols,
                                                                                            task);
}

#endif

using Four = float __attribute__((vector_size(16), aligned(4), may_alias));

Four& four(float* p) { return *reinterpret_cast<Four*>(p); }
const Four& four(const float* p) { return *reinterpret_cast<const Four*>(p); }

// The full tile in vectors of four, which every processor has in some form.
void full_tile_portable(const MicroTask& task) {
  Four sum[4][2] = {};
  for (Index s = 0; s < task.segments; ++s) {
    const Rows a = rows_of(task, s, 4);
    for (Index k = 0; k < task.depth; ++k) {
      const float* b = task.b[s] + k * task.b_step;
      const Four left = four(b);
      const Four right = four(b + 4);
      FRAMEFOLD_UNROLL
      for (int i = 0; i < 4; ++i) {
        const float x = a[i][k * task.a_step];
        sum[i][0] += x * left;
        sum[i][1] += x * right;
      }
    }
  }
  for (int i = 0; i < 4; ++i)
    for (int v = 0; v < 2; ++v) {
      Four y = sum[i][v];
      if (task.bias) y += four(task.bias + 4 * v);
      Four& c = four(task.c + i * task.ldc + 4 * v);
      c = task.accumulate ? c + y : y;
    }
}

void run_portable(int rows, int cols, const MicroTask& task) {
  if (rows == 4 && cols == 8) return full_tile_portable(task);
  for (int i = 0; i < rows; ++i)
    for (int n = 0; n < cols; ++n) {
      float y = 0;
      for (Index s = 0; s < task.segments; ++s) {
        const float* a = rows_of(task, s, rows)[i];
        for (Index k = 0; k < task.depth; ++k)
          y += a[k * task.a_step] * task.b[s][k * task.b_step + n];
      }
      if (task.bias) y += task.bias[n];
      float& c = task.c[i * task.ldc + n];
      c = task.accumulate ? c + y : y;
    }
}

std::vector<MicroKernel> available() {
  std::vector<MicroKernel> kernels;
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) kernels.push_back({12, 32, "avx512", run_avx512, 4, 64});
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

Index panel_count(Index cols, Index width) { return (cols + width - 1) / width; }

Index packed_size(Index depth, Index cols, Index width) {
  return panel_count(cols, width) * width * depth;
}

namespace {

constexpr Index k_block = 64;  // of a transposed panel: as much of it stays in the cache

// to[k * width + n] = from[n * ldb + k] for k < 4, n < 4.
void transpose_4x4(float* to, Index width, const float* from, Index ldb) {
  const Four a = four(from);
  const Four b = four(from + ldb);
  const Four c = four(from + 2 * ldb);
  const Four d = four(from + 3 * ldb);
  const Four ac_low = __builtin_shufflevector(a, c, 0, 4, 1, 5);
  const Four ac_high = __builtin_shufflevector(a, c, 2, 6, 3, 7);
  const Four bd_low = __builtin_shufflevector(b, d, 0, 4, 1, 5);
  const Four bd_high = __builtin_shufflevector(b, d, 2, 6, 3, 7);
  const auto put = [&](Index k, Four row) { four(to + k * width) = row; };
  put(0, __builtin_shufflevector(ac_low, bd_low, 0, 4, 1, 5));
  put(1, __builtin_shufflevector(ac_low, bd_low, 2, 6, 3, 7));
  put(2, __builtin_shufflevector(ac_high, bd_high, 0, 4, 1, 5));
  put(3, __builtin_shufflevector(ac_high, bd_high, 2, 6, 3, 7));
}

// Rows k of `count` columns, past which the panel's rows are zero.
void pack_rows(float* to, const float* from, Index step_k, Index step_n, Index depth, Index count,
               Index width) {
  for (Index k = 0; k < depth; ++k) {
    for (Index n = 0; n < count; ++n) to[k * width + n] = from[k * step_k + n * step_n];
    for (Index n = count; n < width; ++n) to[k * width + n] = 0.0F;
  }
}

}  // namespace

void pack_panels(float* packed, const float* b, Index ldb, bool transposed, Index depth, Index cols,
                 Index first, Index last, Index width) {
  const Index whole = std::min(last, cols / width);  // panels before it are full
  if (!transposed)                                   // row by row, as memory likes it
    for (Index k = 0; k < depth; ++k)
      for (Index panel = first; panel < whole; ++panel) {
        float* to = packed + (panel * depth + k) * width;
        const float* from = b + k * ldb + panel * width;
        for (Index n = 0; n < width; n += 16) __builtin_prefetch(from + 8 * ldb + n);
        for (Index n = 0; n < width; n += 4) four(to + n) = four(from + n);
      }
  else
    for (Index panel = first; panel < whole; ++panel)
      for (Index k0 = 0; k0 < depth; k0 += k_block) {
        float* to = packed + (panel * depth + k0) * width;
        const float* from = b + panel * width * ldb + k0;
        const Index count = std::min(k_block, depth - k0);
        const Index fours = count / 4 * 4;
        for (Index n = 0; n < width; n += 4)
          for (Index k = 0; k < fours; k += 4)
            transpose_4x4(to + k * width + n, width, from + n * ldb + k, ldb);
        pack_rows(to + fours * width, from + fours, 1, ldb, count - fours, width, width);
      }
  for (Index panel = std::max(first, whole); panel < last; ++panel)
    pack_rows(packed + panel * depth * width, b + panel * width * (transposed ? ldb : 1),
              transposed ? 1 : ldb, transposed ? ldb : 1, depth, cols - panel * width, width);
}

void activate_tile(Activation activation, float* c, Index ldc, Index rows, Index cols) {
  if (activation.kind == Activation::none) return;
  for (Index i = 0; i < rows; ++i) fast::activate(activation, cols, c + i * ldc, c + i * ldc);
}

}  // namespace framefold

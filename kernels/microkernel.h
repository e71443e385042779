// The register tile under matrix products and convolutions: f32, chosen at run time (AVX-512,
// AVX2 with FMA, or portable code).
//
// One call computes one tile of C, summing over `segments` pieces of `depth` products each:
//
//   C[i][n] = (accumulate ? C[i][n] : 0) + bias[n]
//             + sum over s < segments, k < depth:
//                 row(s, i)[k * a_step] * b[s][k * b_step + n]
//   for i < rows, n < cols;  1 <= rows <= kernel.rows, 1 <= cols <= kernel.cols,
//                            or rows <= kernel.low_rows, cols <= kernel.wide_cols
//
//   row(s, i)   a[s * rows + i], or a[at[s].first + i] + at[s].move where at is given, so that
//               segments share pointers
//   b           [segments] pointers to the first row of each segment's B
//   a_step, b_step   floats from one k to the next, in A and in B
//   c           the tile's first element, rows ldc floats apart
//   bias        [cols], or null for none
//   fetched     floats from c to the tile of C that is fetched meanwhile: this one, or a later one
//
// All sums stay in registers across the segments, whatever their number; none (or depth 0) gives
// C = bias. Only the elements named above are read or written: at the right edge (cols below
// kernel.cols) loads and stores are masked, B needs no padding. No alignment is asked of anything.
//
// How the callers ride on it (A is read by broadcast, so it needs no packing; B by vectors):
//   product      one segment; A's rows are lda apart (a_step 1), or A is transposed (a_step lda);
//                B is a packed panel (b_step kernel.cols) or the matrix itself (b_step ldb)
//   convolution  a segment is one tap of the kernel: its rows are the input's channels that each
//                of `rows` output positions sees through that tap, a padding tap's a row of zeros;
//                b[] at that tap's [Cin, Cout] weights
//   its dgrad    the same with dy, and weights [Cout, Cin] (packed by pack_panels, transposed)
//   its wgrad    a segment is one run of output positions along W: row i is input channel i of the
//                run's first position (a_step stride * Cin), b[] at dy there (b_step Cout)
//
// Each C[i][n] is one chain of fused multiply-adds in the order of s and k (the portable code
// rounds twice), so it does not depend on rows, cols or where the tile lies. Where depth is below
// 8, loading the row pointers costs as much as the sums do: merge such segments if you can.
//
// The environment's FRAMEFOLD_ISA = avx512 | avx2 | portable forces a variant; it is read once.
#pragma once

#include <span>

#include "kernels/activation.h"
#include "kernels/tensor.h"

namespace framefold {

struct MicroRows {
  Index first;  // row pointer of a segment
  Index move;   // floats from the row pointers to the segment's rows
};

struct MicroTask {
  const float* const* a = nullptr;
  const MicroRows* at = nullptr;
  const float* const* b = nullptr;
  Index segments = 1;
  Index depth = 0;
  Index a_step = 1;
  Index b_step = 0;
  float* c = nullptr;
  Index ldc = 0;
  const float* bias = nullptr;
  bool accumulate = false;
  Index fetched = 0;
};

struct MicroKernel {
  int rows;  // the full tile: 12 x 32 (AVX-512), 6 x 16 (AVX2), 4 x 8 (portable)
  int cols;
  const char* name;
  void (*run)(int rows, int cols, const MicroTask& task);
  int low_rows = 0;  // the low tile, for packed B: 4 x 64 (AVX-512), or none
  int wide_cols = 0;
};

constexpr int micro_rows_max = 12;  // for arrays of row pointers and tiles on the stack
constexpr int micro_cols_max = 64;

const MicroKernel& micro_kernel();             // the one in use
std::span<const MicroKernel> micro_kernels();  // all that this processor runs, fastest first

// Packed panels: op(b) [depth, cols] cut into ceil(cols / width) panels, width kernel.cols or
// kernel.wide_cols; panel p holds columns p * width ... k-major, [depth][width], zeros past the
// last column. op(b)[k][n] is b[k * ldb + n], or b[n * ldb + k] where transposed. Panels
// [first, last) are written, at packed + p * depth * width.
Index panel_count(Index cols, Index width = micro_kernel().cols);
Index packed_size(Index depth, Index cols, Index width = micro_kernel().cols);  // in floats
void pack_panels(float* packed, const float* b, Index ldb, bool transposed, Index depth, Index cols,
                 Index first, Index last, Index width = micro_kernel().cols);

// y = activation(y) in place on rows of C while they are in the cache.
void activate_tile(Activation activation, float* c, Index ldc, Index rows, Index cols);

}  // namespace framefold

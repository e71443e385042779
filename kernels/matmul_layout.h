// A product of row-major matrices as a column-major library computes it.
//
//   D [m, n] = op(A) [m, k] op(B) [k, n]    element (i, j) of a matrix stands at i + j lead
//
// A row-major matrix read by columns is its transpose, and C^T = op(B)^T op(A)^T: so A is our b, B
// our a, and D's column is a row of our c, along which a bias runs.
#pragma once

#include "kernels/matmul.h"

namespace framefold {

struct ColumnMajor {
  struct Matrix {
    Index rows, columns;  // as stored; rows are the leading dimension too
    Index step;           // elements from one of a batch to the next
  };
  Index m, n, k, batch;
  bool transpose_a, transpose_b;
  Matrix a, b, d;
};

constexpr ColumnMajor column_major(const Product& p) {
  const auto stored = [](Index rows, Index columns) {
    return ColumnMajor::Matrix{columns, rows, rows * columns};
  };
  return {.m = p.n,
          .n = p.m,
          .k = p.k,
          .batch = p.batch,
          .transpose_a = p.transpose_b,
          .transpose_b = p.transpose_a,
          .a = p.transpose_b ? stored(p.n, p.k) : stored(p.k, p.n),
          .b = p.transpose_a ? stored(p.k, p.m) : stored(p.m, p.k),
          .d = stored(p.m, p.n)};
}

// What of a product cuBLASLt can do: products of f32 in f32, of bf16 with sums in f32 (where one
// operand is f32, as weights are, it is rounded first); a bias of c's type, rounded likewise; relu,
// the only fusible activation among its epilogues (GELU there is the tanh form, and not fused
// here).
struct LibraryTypes {
  DType operand, bias;
};
constexpr bool library_supports(const Product& p, DType c, DType a, DType b) {
  const auto fits = [](DType type) { return type == DType::f32 || type == DType::bf16; };
  const bool narrow = a == DType::bf16 || b == DType::bf16;
  return fits(c) && fits(a) && fits(b) && (narrow || c == DType::f32) &&
         (p.activation.kind == Activation::none || p.activation.kind == Activation::relu) &&
         p.batch * p.m * p.n * p.k > 0;
}
constexpr LibraryTypes library_types(DType c, DType a, DType b) {
  const bool narrow = a == DType::bf16 || b == DType::bf16;
  return {narrow ? DType::bf16 : DType::f32, c};
}

}  // namespace framefold

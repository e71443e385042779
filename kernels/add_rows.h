// Rows of a table added by number, sample by sample: positions of tokens that are not all there.
//
//   y[b, m]     = x[b, m] + table[index[b, m]]        m < M
//   y[b, M + k] = token + table[masked[b, k]]         k < K, where a token is given
//
//   x, dx            [B, M, C]        f32, bf16 or f64
//   table, dtable    [N, C]           f32 (f64 where x is f64)
//   index, masked    [B, M], [B, K]   i32, 0 to N - 1, in any order and number; checked in forward
//   token, dtoken    [C]              as table
//   y, dy            [B, M + K, C]    as x
//
// With the visible tokens as x, the others as masked and the mask token this is the decoder's input
// of VideoMAE (Tong et al. 2022): visible first, then masked, both in ascending order. For tokens
// in the order of the clip (He et al. 2022) scatter_rows puts the mask token, add the positions.
//
// dx is written (=), dtable and dtoken accumulate (+=), summed in the order of b and m by columns:
// the same for any number of threads. Backward reads dy, index and masked. Memory-bound: the plain
// loops are the fast path.
#pragma once

#include "kernels/stream.h"

namespace framefold {

// masked and token without data: K = 0.
void add_rows_forward(const Stream& stream, Tensor y, View x, View table, View index, View masked,
                      View token);
void add_rows_dgrad(const Stream& stream, Tensor dx, View dy);
void add_rows_wgrad_table(const Stream& stream, Tensor dtable, View dy, View index, View masked);
void add_rows_wgrad_token(const Stream& stream, Tensor dtoken, Workspace workspace, View dy,
                          Index rows);  // rows = M
Bytes add_rows_wgrad_token_workspace(const Stream& stream, const TensorType& dy, Index rows);

}  // namespace framefold

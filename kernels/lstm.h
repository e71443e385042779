// Long short-term memory over a whole sequence (Hochreiter and Schmidhuber 1997; forget gates: Gers
// et al. 2000), with diagonal peepholes where wanted (Graves 2013; Srivastava et al. 2015).
//
//   i = sigmoid(x[t] Wx_i + h[t-1] Wh_i + p_i c[t-1] + b_i)     f likewise
//   g = tanh(x[t] Wx_g + h[t-1] Wh_g + b_g)                     c[t] = f c[t-1] + i g
//   o = sigmoid(x[t] Wx_o + h[t-1] Wh_o + p_o c[t] + b_o)       h[t] = o tanh(c[t])
//
//   x, dx             [B, T, I]    f32, bf16 or f64; I = 0 is a sequence without input
//   wx, wh, d...      [I, 4H], [H, 4H]   f32 (f64): columns in the order i, f, g, o. PyTorch's
//                                  weight_ih_l0 and weight_hh_l0 are their transposes
//   bias, dbias       [4H]         as wx: the sum of PyTorch's bias_ih_l0 and bias_hh_l0
//   peepholes, d...   [3H]         as wx: p_i, p_f, p_o; without data: none
//   h0, c0, d...      [B, H]       as x: the state before the first step; without data: 0
//   lengths           [B]          i32, 0 to T, checked in forward; without data: T
//   h, dh             [B, T, H]    as x
//   h_last, c_last    [B, H]       as x: the state after the row's last step
//   gates, dgates     [B, T, 4H]   as wx: i, f, g, o; gradients before sigmoid and tanh
//   cells             [B, T, H]    as wx: c
//
// Past its length a row's state stays as it is, h is 0 and gradients are 0. x must be finite there.
//
// Backward is three functions, lstm_backward calls them: lstm_dgates goes through time and writes
// dgates, dh0 and dc0 (=), from which lstm_dgrad writes dx (=) and lstm_wgrad adds to the
// parameters' gradients (+=). They read x, wx, wh, peepholes, h0, c0, lengths, h, gates and cells.
// Gradients of outputs that nobody uses come without data; so do those that nobody wants (the
// parameters': all or none of them).
//
// A device's vendor keeps a record of its own between forward and backward instead of gates and
// cells: where lstm_reserve asks for bytes (Path::vendor alone), both take its path.
//
// Sums are f32 (f64 in f64); in bf16 c stays f32 from step to step, h is rounded. B, T, H >= 1.
// Deterministic for a given number of threads.
//
// The floor: 8 B T (I + H) H operations forward and twice as many backward over the peak of the
// arithmetic; where Wh passes the caches, also 2 T times its bytes over the memory's bandwidth.
#pragma once

#include "kernels/stream.h"

namespace framefold {

struct LstmInputs {
  View x, wx, wh, bias, peepholes, h0, c0, lengths;
};
struct LstmOutputs {
  Tensor h, h_last, c_last, gates, cells;
  Tensor reserve = {};  // lstm_reserve bytes; without data: none
};
// What backward reads of the outputs, and the gradients of those.
struct LstmResults {
  View h, gates, cells, dh, dh_last, dc_last;
  Tensor reserve = {};
};
struct LstmGradients {
  Tensor wx, wh, bias, peepholes;
};

void lstm_forward(const Stream& stream, const LstmOutputs& out, Workspace workspace,
                  const LstmInputs& in);
void lstm_backward(const Stream& stream, Tensor dx, Tensor dh0, Tensor dc0,
                   const LstmGradients& gradients, Workspace workspace, const LstmInputs& in,
                   const LstmResults& results);
void lstm_dgates(const Stream& stream, Tensor dgates, Tensor dh0, Tensor dc0, Workspace workspace,
                 const LstmInputs& in, const LstmResults& results);
void lstm_dgrad(const Stream& stream, Tensor dx, Workspace workspace, View dgates, View wx);
void lstm_wgrad(const Stream& stream, const LstmGradients& gradients, Workspace workspace,
                View dgates, const LstmInputs& in, const LstmResults& results);

// What forward and the parameters' gradients are made of beside products: the steps through time,
// for which x Wx + bias stands in gates, and the peepholes' gradient (+=).
void lstm_steps(const Stream& stream, const LstmOutputs& out, Workspace workspace,
                const LstmInputs& in);
void lstm_peephole_wgrad(const Stream& stream, Tensor dpeepholes, Workspace workspace, View dgates,
                         View cells, View c0);

// Workspaces, in bytes, for x and H = hidden.
Bytes lstm_forward_workspace(const Stream& stream, const TensorType& x, Index hidden);
Bytes lstm_backward_workspace(const Stream& stream, const TensorType& x, Index hidden);
Bytes lstm_dgates_workspace(const Stream& stream, const TensorType& x, Index hidden);
Bytes lstm_dgrad_workspace(const Stream& stream, const TensorType& x, Index hidden);
Bytes lstm_wgrad_workspace(const Stream& stream, const TensorType& x, Index hidden);

Bytes lstm_reserve(const Stream& stream, const TensorType& x, Index hidden, bool peepholes,
                   bool lengths);

// Extents that the paths share.
struct LstmShape {
  Index batch, steps, hidden;

  explicit LstmShape(const Shape& h) : batch(h[0]), steps(h[1]), hidden(h[2]) {}
  Index row(Index b, Index t) const { return b * steps + t; }
};

inline Index lstm_length(View lengths, Index b, Index steps) {
  return lengths ? Index{lengths.as<std::int32_t>()[b]} : steps;
}

// The fast path through time, f32: false where the operands are not for it. Forward finds
// x Wx + bias in gates.
namespace fast {
bool lstm_forward(const Stream& stream, const LstmOutputs& out, Workspace workspace,
                  const LstmInputs& in);
bool lstm_dgates(const Stream& stream, Tensor dgates, Tensor dh0, Tensor dc0, Workspace workspace,
                 const LstmInputs& in, const LstmResults& results);
Bytes lstm_forward_workspace(const Stream& stream, const TensorType& x, Index hidden);
Bytes lstm_dgates_workspace(const Stream& stream, const TensorType& x, Index hidden);
}  // namespace fast

}  // namespace framefold

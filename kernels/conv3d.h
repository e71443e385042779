// 3-D convolution (the field's cross-correlation) with bias and activation; 2-D is T = 1, kT = 1.
//
//   y[b, t, h, w, o] = activation(bias[o] + sum over taps (i, j, k) and channels c of o's group:
//                        x[b, t sT - pT + i dT, h sH - pH + j dH, w sW - pW + k dW, c]
//                        weight[i, j, k, c, o])                     0 where x has no such position
//
//   x, dx        [B, T, H, W, C]                  f32, bf16 or f64 (all activations the same)
//   y, dy        [B, T', H', W', O]               T' = floor((T + 2 pT - dT (kT - 1) - 1) / sT) + 1
//   weight, d... [kT, kH, kW, C / groups, O]      f32 (f64 where x is f64); outputs
//                                                 [g O / groups, (g + 1) O / groups) see group g
//   bias         [O]                              as weight; a View without data for none
//
// Published weights [O, C / groups, kT, kH, kW] have their axes reversed to (2, 3, 4, 1, 0): so a
// tap is a matrix [C, O] as the sums over channels read it, and nothing is repacked going forward.
//
// Backward, with dz = dy * activation'(y) (epilogue_backward, which also sums the bias' gradient):
//   conv3d_dgrad   dx  =   reads dz, weight
//   conv3d_wgrad   dw  +=  reads dz, x
//
// Stride s, padding p (zeros, both sides), dilation d by axis T, H, W; any extent >= 1, any kernel,
// any group count that divides C and O. Activations whose derivative comes from the output only.
// Sums are f32 (f64 in f64). Deterministic for a given number of threads and processor.
#pragma once

#include "kernels/activation.h"
#include "kernels/stream.h"

namespace framefold {

struct Conv3d {
  Extents stride{1, 1, 1};
  Extents padding{0, 0, 0};
  Extents dilation{1, 1, 1};
  Index groups = 1;
  Activation activation = Activation::none;
};

void conv3d_forward(const Stream& stream, const Conv3d& conv, Tensor y, Workspace workspace, View x,
                    View weight, View bias);
void conv3d_dgrad(const Stream& stream, const Conv3d& conv, Tensor dx, Workspace workspace, View dz,
                  View weight);
void conv3d_wgrad(const Stream& stream, const Conv3d& conv, Tensor dweight, Workspace workspace,
                  View dz, View x);

// Workspaces, in bytes, from the types of x and weight.
Bytes conv3d_forward_workspace(const Stream& stream, const Conv3d& conv, const TensorType& x,
                               const TensorType& weight);
Bytes conv3d_dgrad_workspace(const Stream& stream, const Conv3d& conv, const TensorType& x,
                             const TensorType& weight);
Bytes conv3d_wgrad_workspace(const Stream& stream, const Conv3d& conv, const TensorType& x,
                             const TensorType& weight);

// y's type, or an Error that names the operand and what was expected of it.
TensorType conv3d_type(const Conv3d& conv, const TensorType& x, const TensorType& weight);

}  // namespace framefold

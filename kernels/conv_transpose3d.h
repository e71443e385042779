// Transposed 3-D convolution (Zeiler et al. 2010) with bias and activation: conv3d's input gradient
// as a forward. Every position of x adds a kernel-sized patch to y; 2-D is T = 1, kT = 1.
//
//   z[b, t sT - pT + i dT, h sH - pH + j dH, w sW - pW + k dW, o]
//       += x[b, t, h, w, c] weight[i, j, k, o, c]    over all t, h, w, taps (i, j, k), c of o's
//       group
//   y = activation(z + bias)                         contributions outside of y are dropped
//
//   x, dx        [B, T, H, W, C]                 f32, bf16 or f64 (all activations the same)
//   y, dy        [B, T', H', W', O]              T' = (T - 1) sT - 2 pT + dT (kT - 1) + 1 + oT
//   weight, d... [kT, kH, kW, O / groups, C]     f32 (f64 where x is f64); inputs
//                                                [g C / groups, (g + 1) C / groups) are of group g
//   bias         [O]                             as weight; a View without data for none
//
// Published weights [C, O / groups, kT, kH, kW] have their axes reversed to (2, 3, 4, 1, 0), as
// conv3d's have: the weight is that of the convolution from y to x.
//
// Backward, with dz = dy * activation'(y) (epilogue_backward, which also sums the bias' gradient):
//   conv_transpose3d_dgrad   dx  =   reads dz, weight
//   conv_transpose3d_wgrad   dw  +=  reads dz, x
//
// Output padding o < s adds positions at the far end, which a strided convolution of y would not
// see. All else is as in conv3d.h.
#pragma once

#include "kernels/conv3d.h"

namespace framefold {

struct ConvTranspose3d {
  Extents stride{1, 1, 1};
  Extents padding{0, 0, 0};
  Extents output_padding{0, 0, 0};
  Extents dilation{1, 1, 1};
  Index groups = 1;
  Activation activation = Activation::none;
};

void conv_transpose3d_forward(const Stream& stream, const ConvTranspose3d& conv, Tensor y,
                              Workspace workspace, View x, View weight, View bias);
void conv_transpose3d_dgrad(const Stream& stream, const ConvTranspose3d& conv, Tensor dx,
                            Workspace workspace, View dz, View weight);
void conv_transpose3d_wgrad(const Stream& stream, const ConvTranspose3d& conv, Tensor dweight,
                            Workspace workspace, View dz, View x);

// Workspaces, in bytes, from the types of x and weight.
Bytes conv_transpose3d_forward_workspace(const Stream& stream, const ConvTranspose3d& conv,
                                         const TensorType& x, const TensorType& weight);
Bytes conv_transpose3d_dgrad_workspace(const Stream& stream, const ConvTranspose3d& conv,
                                       const TensorType& x, const TensorType& weight);
Bytes conv_transpose3d_wgrad_workspace(const Stream& stream, const ConvTranspose3d& conv,
                                       const TensorType& x, const TensorType& weight);

// y's type, or an Error that names the operand and what was expected of it.
TensorType conv_transpose3d_type(const ConvTranspose3d& conv, const TensorType& x,
                                 const TensorType& weight);

}  // namespace framefold

#include "kernels/conv_transpose3d.h"

#include "kernels/check.h"
#include "kernels/convolution.h"

namespace framefold {
namespace {

// The convolution from y to x.
Convolution geometry(const ConvTranspose3d& conv, const Shape& x, const Shape& weight) {
  Convolution c{.batch = x[0],
                .groups = conv.groups,
                .coarse = {x[1], x[2], x[3]},
                .kernel = {weight[0], weight[1], weight[2]},
                .stride = conv.stride,
                .padding = conv.padding,
                .dilation = conv.dilation,
                .fine_channels = weight[3] * conv.groups,
                .coarse_channels = x[4],
                .activation = conv.activation};
  for (std::size_t axis = 0; axis < 3; ++axis)
    c.fine[axis] = std::max<Index>(0, (c.coarse[axis] - 1) * c.stride[axis] - 2 * c.padding[axis] +
                                          c.dilation[axis] * (c.kernel[axis] - 1) + 1 +
                                          conv.output_padding[axis]);
  return c;
}

}  // namespace

TensorType conv_transpose3d_type(const ConvTranspose3d& conv, const TensorType& x,
                                 const TensorType& weight) {
  expect_convolution("conv_transpose3d", x, weight, conv.stride, conv.padding, conv.dilation,
                     conv.activation);
  for (std::size_t axis = 0; axis < 3; ++axis)
    if (conv.output_padding[axis] < 0 || conv.output_padding[axis] >= conv.stride[axis])
      fail(ErrorCode::argument, "conv_transpose3d: output padding is ",
           shape_of(conv.output_padding), ", expected at least 0 and below the stride ",
           shape_of(conv.stride));
  Shape expected = weight.shape;
  expected[4] = x.shape[4];
  expect("conv_transpose3d", "weight", weight, {weight.dtype, expected},
         "to match the channels of x");
  const Convolution c = geometry(conv, x.shape, weight.shape);
  expect_groups("conv_transpose3d", c.groups, c.coarse_channels, c.fine_channels);
  const TensorType y{x.dtype, {c.batch, c.fine[0], c.fine[1], c.fine[2], c.fine_channels}};
  if (y.shape.size() == 0)
    fail(ErrorCode::shape, "conv_transpose3d: the output would be empty: padding ",
         shape_of(c.padding), " takes away all that kernel ", shape_of(c.kernel),
         " makes of the input ", shape_of(c.coarse));
  return y;
}

void conv_transpose3d_forward(const Stream& stream, const ConvTranspose3d& conv, Tensor y,
                              Workspace workspace, View x, View weight, View bias) {
  fine_from_coarse(stream, geometry(conv, x.shape, weight.shape), y, workspace, x, weight, bias);
}

void conv_transpose3d_dgrad(const Stream& stream, const ConvTranspose3d& conv, Tensor dx,
                            Workspace workspace, View dz, View weight) {
  Convolution c = geometry(conv, dx.shape, weight.shape);
  c.activation = Activation::none;
  coarse_from_fine(stream, c, dx, workspace, dz, weight, {});
}

void conv_transpose3d_wgrad(const Stream& stream, const ConvTranspose3d& conv, Tensor dweight,
                            Workspace workspace, View dz, View x) {
  weight_from_both(stream, geometry(conv, x.shape, dweight.shape), dweight, workspace, dz, x);
}

bool conv_transpose3d_has_vendor(const Stream& stream, const ConvTranspose3d& conv,
                                 const TensorType& x, const TensorType& weight) {
  return convolution_has_vendor(stream, geometry(conv, x.shape, weight.shape), x.dtype);
}

Bytes conv_transpose3d_forward_workspace(const Stream& stream, const ConvTranspose3d& conv,
                                         const TensorType& x, const TensorType& weight) {
  return fine_from_coarse_workspace(stream, geometry(conv, x.shape, weight.shape), x.dtype);
}

Bytes conv_transpose3d_dgrad_workspace(const Stream& stream, const ConvTranspose3d& conv,
                                       const TensorType& x, const TensorType& weight) {
  return coarse_from_fine_workspace(stream, geometry(conv, x.shape, weight.shape), x.dtype);
}

Bytes conv_transpose3d_wgrad_workspace(const Stream& stream, const ConvTranspose3d& conv,
                                       const TensorType& x, const TensorType& weight) {
  return weight_from_both_workspace(stream, geometry(conv, x.shape, weight.shape), x.dtype);
}

}  // namespace framefold

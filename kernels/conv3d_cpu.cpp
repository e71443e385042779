#include "kernels/check.h"
#include "kernels/convolution.h"

namespace framefold {
namespace {

Convolution geometry(const Conv3d& conv, const Shape& x, const Shape& weight) {
  Convolution c{.batch = x[0],
                .groups = conv.groups,
                .fine = {x[1], x[2], x[3]},
                .kernel = {weight[0], weight[1], weight[2]},
                .stride = conv.stride,
                .padding = conv.padding,
                .dilation = conv.dilation,
                .fine_channels = x[4],
                .coarse_channels = weight[4],
                .activation = conv.activation};
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const Index room =
        c.fine[axis] + 2 * c.padding[axis] - c.dilation[axis] * (c.kernel[axis] - 1) - 1;
    c.coarse[axis] = room < 0 ? 0 : room / c.stride[axis] + 1;
  }
  return c;
}

}  // namespace

TensorType conv3d_type(const Conv3d& conv, const TensorType& x, const TensorType& weight) {
  expect_convolution("conv3d", x, weight, conv.stride, conv.padding, conv.dilation,
                     conv.activation);
  const Convolution c = geometry(conv, x.shape, weight.shape);
  expect_groups("conv3d", c.groups, c.fine_channels, c.coarse_channels);
  Shape expected = weight.shape;
  expected[3] = c.fine_group();
  expect("conv3d", "weight", weight, {weight.dtype, expected},
         "to match the channels of x and the groups");
  const TensorType y{x.dtype, {c.batch, c.coarse[0], c.coarse[1], c.coarse[2], c.coarse_channels}};
  if (y.shape.size() == 0)
    fail(ErrorCode::shape, "conv3d: the output would be empty: kernel ", shape_of(c.kernel),
         " with dilation ", shape_of(c.dilation), " does not fit into the input ", shape_of(c.fine),
         " with padding ", shape_of(c.padding));
  return y;
}

void conv3d_forward(const Stream& stream, const Conv3d& conv, Tensor y, Workspace workspace, View x,
                    View weight, View bias) {
  coarse_from_fine(stream, geometry(conv, x.shape, weight.shape), y, workspace, x, weight, bias);
}

void conv3d_dgrad(const Stream& stream, const Conv3d& conv, Tensor dx, Workspace workspace, View dz,
                  View weight) {
  Convolution c = geometry(conv, dx.shape, weight.shape);
  c.activation = Activation::none;
  fine_from_coarse(stream, c, dx, workspace, dz, weight, {});
}

void conv3d_wgrad(const Stream& stream, const Conv3d& conv, Tensor dweight, Workspace workspace,
                  View dz, View x) {
  weight_from_both(stream, geometry(conv, x.shape, dweight.shape), dweight, workspace, x, dz);
}

bool conv3d_has_vendor(const Stream& stream, const Conv3d& conv, const TensorType& x,
                       const TensorType& weight) {
  return convolution_has_vendor(stream, geometry(conv, x.shape, weight.shape), x.dtype);
}

Bytes conv3d_forward_workspace(const Stream& stream, const Conv3d& conv, const TensorType& x,
                               const TensorType& weight) {
  return coarse_from_fine_workspace(stream, geometry(conv, x.shape, weight.shape), x.dtype);
}

Bytes conv3d_dgrad_workspace(const Stream& stream, const Conv3d& conv, const TensorType& x,
                             const TensorType& weight) {
  return fine_from_coarse_workspace(stream, geometry(conv, x.shape, weight.shape), x.dtype);
}

Bytes conv3d_wgrad_workspace(const Stream& stream, const Conv3d& conv, const TensorType& x,
                             const TensorType& weight) {
  return weight_from_both_workspace(stream, geometry(conv, x.shape, weight.shape), x.dtype);
}

}  // namespace framefold

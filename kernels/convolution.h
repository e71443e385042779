// What conv3d and conv_transpose3d become, and all that the paths implement: three sums over one
// geometry between a fine side (conv3d's input) and a coarse side (conv3d's output).
//
//   fine position f = stride * j - padding + dilation * k  meets  coarse position j  by tap k
//
//   coarse_from_fine   coarse  = activation(sum over taps, fine channels + bias)
//   fine_from_coarse   fine    = activation(sum over taps, coarse channels + bias)
//   weight_from_both   weight += sum over positions of fine times coarse
//
//   fine    [batch, *fine, fine_channels]       coarse  [batch, *coarse, coarse_channels]
//   weight  [*kernel, fine_channels / groups, coarse_channels]
#pragma once

#include <string_view>

#include "kernels/conv3d.h"
#include "kernels/conv_transpose3d.h"

namespace framefold {

struct Convolution {
  Index batch, groups;
  Extents fine, coarse, kernel, stride, padding, dilation;
  Index fine_channels, coarse_channels;
  Activation activation;

  constexpr Index taps() const { return kernel[0] * kernel[1] * kernel[2]; }
  constexpr Index fine_positions() const { return batch * fine[0] * fine[1] * fine[2]; }
  constexpr Index coarse_positions() const { return batch * coarse[0] * coarse[1] * coarse[2]; }
  constexpr Index fine_group() const { return fine_channels / groups; }
  constexpr Index coarse_group() const { return coarse_channels / groups; }
  constexpr Index weights() const { return taps() * fine_group() * coarse_channels; }
  // Every product that the sums name once, two operations each; padding counts as well.
  double flops() const {
    return 2.0 * static_cast<double>(coarse_positions()) * static_cast<double>(weights());
  }
};

void coarse_from_fine(const Stream& stream, const Convolution& c, Tensor coarse,
                      Workspace workspace, View fine, View weight, View bias);
void fine_from_coarse(const Stream& stream, const Convolution& c, Tensor fine, Workspace workspace,
                      View coarse, View weight, View bias);
void weight_from_both(const Stream& stream, const Convolution& c, Tensor weight,
                      Workspace workspace, View fine, View coarse);

Bytes coarse_from_fine_workspace(const Stream& stream, const Convolution& c, DType type);
Bytes fine_from_coarse_workspace(const Stream& stream, const Convolution& c, DType type);
Bytes weight_from_both_workspace(const Stream& stream, const Convolution& c, DType type);

// Whether the device's vendor has a path for it.
bool convolution_has_vendor(const Stream& stream, const Convolution& c, DType type);
bool conv3d_has_vendor(const Stream& stream, const Conv3d& conv, const TensorType& x,
                       const TensorType& weight);
bool conv_transpose3d_has_vendor(const Stream& stream, const ConvTranspose3d& conv,
                                 const TensorType& x, const TensorType& weight);

// What both operations ask of their operands; the rest depends on the direction.
void expect_convolution(std::string_view op, const TensorType& x, const TensorType& weight,
                        const Extents& stride, const Extents& padding, const Extents& dilation,
                        Activation activation);
void expect_groups(std::string_view op, Index groups, Index channels, Index outputs);
Shape shape_of(const Extents& extents);

// Our micro-kernel, f32.
namespace fast {
bool coarse_from_fine(const Stream& stream, const Convolution& c, Tensor coarse,
                      Workspace workspace, View fine, View weight, View bias);
bool fine_from_coarse(const Stream& stream, const Convolution& c, Tensor fine, Workspace workspace,
                      View coarse, View weight, View bias);
bool weight_from_both(const Stream& stream, const Convolution& c, Tensor weight,
                      Workspace workspace, View fine, View coarse);
Bytes coarse_from_fine_workspace(const Stream& stream, const Convolution& c, DType type);
Bytes fine_from_coarse_workspace(const Stream& stream, const Convolution& c, DType type);
Bytes weight_from_both_workspace(const Stream& stream, const Convolution& c, DType type);
}  // namespace fast

}  // namespace framefold

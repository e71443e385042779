#include "kernels/convolution.cuh"

namespace framefold {
namespace gpu {
namespace {

ProductExtent coarse_extent(const Convolution& c) {
  return {c.groups, c.coarse_positions(), c.coarse_group(), c.taps() * c.fine_group()};
}

ProductExtent fine_extent(const Convolution& c) {
  return {c.groups, c.fine_positions(), c.fine_group(), c.taps() * c.coarse_group()};
}

ProductExtent weight_extent(const Convolution& c) {
  return {c.groups, c.taps() * c.fine_group(), c.coarse_group(), c.coarse_positions()};
}

const float* bias_data(View bias) { return bias ? bias.as<float>() : nullptr; }

void coarse_from_fine(const Stream& stream, const Convolution& c, Tensor coarse,
                      Workspace workspace, View fine, View weight, View bias) {
  for_device_float(coarse.dtype, [&]<class T>(T) {
    tiled_product(
        stream, FineByCoarse<T>{fine.as<T>(), c},
        MatrixOperand<float>{weight.as<float>(), c.coarse_group(), 1, c.coarse_channels, false},
        StorePositions<T>{coarse.as<T>(), c.coarse_channels, c.coarse_group(), bias_data(bias),
                          c.activation},
        coarse_extent(c), workspace);
  });
}

void fine_from_coarse(const Stream& stream, const Convolution& c, Tensor fine, Workspace workspace,
                      View coarse, View weight, View bias) {
  for_device_float(fine.dtype, [&]<class T>(T) {
    tiled_product(stream, CoarseByFine<T>{coarse.as<T>(), c}, WeightByFine{weight.as<float>(), c},
                  StorePositions<T>{fine.as<T>(), c.fine_channels, c.fine_group(), bias_data(bias),
                                    c.activation},
                  fine_extent(c), workspace);
  });
}

void weight_from_both(const Stream& stream, const Convolution& c, Tensor weight,
                      Workspace workspace, View fine, View coarse) {
  for_device_float(fine.dtype, [&]<class T>(T) {
    tiled_product(stream, FineByWeight<T>{fine.as<T>(), c},
                  MatrixOperand<T>{coarse.as<T>(), c.coarse_group(), 1, c.coarse_channels, false},
                  StoreWeight{weight.as<float>(), c.coarse_channels, c.coarse_group()},
                  weight_extent(c), workspace);
  });
}

Bytes coarse_from_fine_workspace(const Stream&, const Convolution& c, DType) {
  return tiled_product_workspace(coarse_extent(c));
}

Bytes fine_from_coarse_workspace(const Stream&, const Convolution& c, DType) {
  return tiled_product_workspace(fine_extent(c));
}

Bytes weight_from_both_workspace(const Stream&, const Convolution& c, DType) {
  return tiled_product_workspace(weight_extent(c));
}

const OnDevice<&framefold::coarse_from_fine> coarse_path(coarse_from_fine);
const OnDevice<&framefold::fine_from_coarse> fine_path(fine_from_coarse);
const OnDevice<&framefold::weight_from_both> weight_path(weight_from_both);
const OnDevice<&framefold::coarse_from_fine_workspace> coarse_space(coarse_from_fine_workspace);
const OnDevice<&framefold::fine_from_coarse_workspace> fine_space(fine_from_coarse_workspace);
const OnDevice<&framefold::weight_from_both_workspace> weight_space(weight_from_both_workspace);

}  // namespace
}  // namespace gpu
}  // namespace framefold

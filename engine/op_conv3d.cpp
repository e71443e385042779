#include "engine/op_convolution.h"
#include "engine/ops.h"

namespace framefold {
namespace {

struct Kernels {
  using Attributes = Conv3d;
  static constexpr std::string_view name = "conv3d";
  static constexpr bool coarse_is_input = false;
  static constexpr auto type = conv3d_type;
  static constexpr auto forward = conv3d_forward;
  static constexpr auto dgrad = conv3d_dgrad;
  static constexpr auto wgrad = conv3d_wgrad;
  static constexpr auto forward_workspace = conv3d_forward_workspace;
  static constexpr auto dgrad_workspace = conv3d_dgrad_workspace;
  static constexpr auto wgrad_workspace = conv3d_wgrad_workspace;
  static constexpr auto has_vendor = conv3d_has_vendor;
};

}  // namespace

Value conv3d(Graph& g, Value x, Value weight, Value bias, const Conv3d& conv) {
  return add_convolution<Kernels>(g, x, weight, bias, conv);
}

}  // namespace framefold

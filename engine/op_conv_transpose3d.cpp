#include "engine/op_convolution.h"
#include "engine/ops.h"

namespace framefold {
namespace {

struct Kernels {
  using Attributes = ConvTranspose3d;
  static constexpr std::string_view name = "conv_transpose3d";
  static constexpr bool coarse_is_input = true;
  static constexpr auto type = conv_transpose3d_type;
  static constexpr auto forward = conv_transpose3d_forward;
  static constexpr auto dgrad = conv_transpose3d_dgrad;
  static constexpr auto wgrad = conv_transpose3d_wgrad;
  static constexpr auto forward_workspace = conv_transpose3d_forward_workspace;
  static constexpr auto dgrad_workspace = conv_transpose3d_dgrad_workspace;
  static constexpr auto wgrad_workspace = conv_transpose3d_wgrad_workspace;
  static constexpr auto has_vendor = conv_transpose3d_has_vendor;
};

}  // namespace

Value conv_transpose3d(Graph& g, Value x, Value weight, Value bias, const ConvTranspose3d& conv) {
  return add_convolution<Kernels>(g, x, weight, bias, conv);
}

}  // namespace framefold

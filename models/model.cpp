#include "models/model.h"

#include <array>

#include "kernels/nearest.h"
#include "models/conv2d.h"
#include "models/conv3d.h"
#include "models/dense.h"
#include "models/layers.h"
#include "models/residual3d.h"
#include "models/videomae.h"

namespace framefold {
namespace {

void check_layers(const ModelOptions& options) {
  if (options.widths.empty()) fail(ErrorCode::config, "model.widths is empty; give at least one");
  for (const Index width : options.widths)
    if (width < 1) fail(ErrorCode::config, "model.widths holds ", width, "; each is at least 1");
  const auto levels = static_cast<Index>(options.widths.size());
  if (options.spatial_levels < 0 || options.spatial_levels > levels)
    fail(ErrorCode::config, "model.spatial_levels is ", options.spatial_levels, "; with ", levels,
         " widths it is from 0 to ", levels);
  if (options.blocks < 1 || options.code < 0)
    fail(ErrorCode::config, "model.blocks is ", options.blocks, " and model.code ", options.code,
         "; they are at least 1 and 0");
}

}  // namespace

std::span<const ModelInfo> models() {
  static constexpr auto all = std::to_array<ModelInfo>({
      {"conv2d", "2-D convolutional autoencoder with pooling (Chollet 2016)", conv2d_autoencoder,
       conv2d_encoder},
      {"conv3d", "3-D convolutional video autoencoder, strided (after Tran et al. 2015)",
       conv3d_autoencoder, conv3d_encoder},
      {"dense",
       "fully connected autoencoder: plain, bottleneck or deep (Hinton and Salakhutdinov "
       "2006)",
       dense_autoencoder, dense_encoder},
      {"residual3d", "deep residual 3-D video autoencoder (after He et al. 2016)",
       residual3d_autoencoder, residual3d_encoder},
      {"videomae", "masked video autoencoder, a transformer on visible tubelets (Tong et al. 2022)",
       videomae, videomae_encoder, false},
  });
  return all;
}

namespace {

// The model of that name, once the options are known to be in range.
const ModelInfo& checked(const ModelOptions& options) {
  layers::check_loss_name(options.loss);
  std::vector<std::string_view> names;
  for (const ModelInfo& info : models()) {
    if (info.name == options.name) {
      if (info.layered) check_layers(options);
      return info;
    }
    names.push_back(info.name);
  }
  fail(ErrorCode::config, "model.name = \"", options.name, "\" is unknown; did you mean \"",
       nearest(options.name, names), "\"?");
}

}  // namespace

Autoencoder build_model(Graph& graph, const ModelOptions& options, Index batch) {
  if (batch < 1) fail(ErrorCode::config, "a batch of ", batch, " clips; it takes at least 1");
  return checked(options).build(graph, options, batch);
}

Value encode(Graph& graph, const ModelOptions& options, Value clip) {
  return checked(options).encode(graph, options, clip);
}

}  // namespace framefold

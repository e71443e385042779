// transformers' config.json of a VideoMAE, to the options of Framefold's and back.
#pragma once

#include <nlohmann/json.hpp>

#include "cli/config.h"
#include "io/safetensors.h"

namespace framefold {

struct ForeignConfig {
  ModelOptions model;  // with its clip; numbers in the place of a size
  bool classifier = false;
};

// Error(format) for what is no VideoMAE, or one of a kind that Framefold has not.
ForeignConfig read_videomae_config(const std::filesystem::path& path);

// What can be told of a file without config.json from its tensors: widths, depths and the tubelet,
// heads as the paper's sizes have them.
ForeignConfig guess_videomae_config(const SafetensorsFile& file, const std::filesystem::path& path);

nlohmann::ordered_json videomae_config(const ModelOptions& options);

// preprocessor_config.json: what transformers is to do with pixels.
nlohmann::ordered_json videomae_preprocessor(const ModelOptions& options);

}  // namespace framefold

// transformers' config.json of a VideoMAE, to the options of Framefold's and back.
#pragma once

#include <nlohmann/json.hpp>

#include "cli/config.h"
#include "io/safetensors.h"

namespace framefold {

struct ForeignConfig {
  ModelOptions model;                // with its clip; numbers in the place of a size
  std::vector<std::string> classes;  // of a classifier, in their order
};

// Error(format) for what is no VideoMAE, or one of a kind that Framefold has not. How many classes
// a classifier has, its weights say.
ForeignConfig read_videomae_config(const std::filesystem::path& path, Index classes = 0);

// Rows of a classifier's last matrix; 0 for a file of pre-training.
Index classes_in(const SafetensorsFile& file);

// What can be told of a file without config.json from its tensors: widths, depths and the tubelet,
// heads as the paper's sizes have them.
ForeignConfig guess_videomae_config(const SafetensorsFile& file, const std::filesystem::path& path);

// Of pre-training, or of a classifier where there are classes.
nlohmann::ordered_json videomae_config(const ModelOptions& options,
                                       const std::vector<std::string>& classes);

// preprocessor_config.json: what transformers is to do with pixels.
nlohmann::ordered_json videomae_preprocessor(const ModelOptions& options);

}  // namespace framefold

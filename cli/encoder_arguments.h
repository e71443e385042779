// What commands take that use an encoder alone: whose weights, which configuration, which clips.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cli/command.h"
#include "io/dataset.h"

namespace framefold {

struct EncoderClips {
  std::shared_ptr<const Dataset> clips;
  std::vector<std::string> skipped;  // a message for each file that was left out on opening
};

struct EncoderArguments {
  std::string path;    // a run's folder, or a safetensors file
  std::string config;  // for a file: the model's preset or TOML file
  std::string data;    // other data's path
  std::string part = "held-out";
  std::vector<std::string> sets;

  void add_to(CLI::App& command);
  Config resolve() const;  // without augmentation; all of other data is held out
  EncoderClips clips(const Config& resolved) const;
};

}  // namespace framefold

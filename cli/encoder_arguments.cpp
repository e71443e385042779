#include "cli/encoder_arguments.h"

#include "cli/parts.h"
#include "cli/run_directory.h"

namespace framefold {

void EncoderArguments::add_to(CLI::App& command) {
  command.add_option("RUN", path, "A run's folder, or a safetensors file of weights")
      ->required()
      ->type_name("");
  command
      .add_option("--config", config,
                  "The model's preset or TOML file, where RUN is a file of weights")
      ->type_name("CONFIG");
  command.add_option("--data", data, "Other data in place of the run's: all of it")
      ->type_name("PATH");
  command.add_option("--part", part, "Which clips")
      ->check(CLI::IsMember({"held-out", "train"}))
      ->capture_default_str();
  command.add_option("--set", sets, "section.key=value, over the configuration")
      ->type_name("KEY=VALUE")
      ->expected(1)
      ->take_all()
      ->allow_extra_args(false);
}

Config EncoderArguments::resolve() const {
  std::string file = config;
  if (file.empty() && std::filesystem::is_directory(path))
    file = RunDirectory::open(path).config().string();
  if (file.empty())
    fail(ErrorCode::config, path,
         " is no run's folder; say with --config which model its weights are for");
  Config resolved =
      framefold::resolve({.file = file, .environment = process_environment(), .sets = sets});
  resolved.augment = {};
  if (data.empty()) return resolved;
  resolved.data.path = data;
  resolved.data.held_out_path.clear();
  resolved.data.held_out = 1;
  return resolved;
}

EncoderClips EncoderArguments::clips(const Config& resolved) const {
  Split parts = open_data(resolved, false);
  auto clips = part == "train" ? parts.train : parts.held_out;
  if (!clips)
    fail(ErrorCode::config, "there are no ", part, " clips (data.held_out is ",
         resolved.data.held_out, "); choose the other --part, or give clips with --data");
  return {std::move(clips), std::move(parts.skipped)};
}

}  // namespace framefold

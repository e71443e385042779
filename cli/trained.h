// A trained run, opened to be used: its configuration, weights and clips to look at.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "cli/command.h"
#include "cli/evaluation.h"
#include "cli/run_directory.h"

namespace framefold {

struct TrainedArguments {
  std::string run;
  std::string data;    // other data's path
  std::string device;  // empty: the run's
  std::string checkpoint = "best";
  std::vector<std::string> sets;  // over the run's configuration

  void add_to(CLI::App& command);
};

// best, last or a file.
std::filesystem::path checkpoint_of(const RunDirectory& run, const std::string& wanted);

struct Trained {
  explicit Trained(const TrainedArguments& arguments);

  const Split& data();  // the run's own, opened when first asked for
  // The mean clip of its training data, where that is known: converted weights have none.
  std::optional<std::vector<float>> mean();
  // Says which clips are bad and were replaced so far, on standard error; returns what it said.
  std::vector<std::string> note_bad() const;

  RunDirectory run;
  Config config;
  std::filesystem::path checkpoint;
  Index step = 0;
  std::shared_ptr<const Dataset> clips;  // held out, or all of the other data
  std::unique_ptr<Parameters> parameters;

 private:
  std::optional<Split> data_;
  bool as_trained_ = true;  // the run's configuration, as it was
};

// The weights that a run's folder or a file stands for.
std::filesystem::path weights_of(const std::filesystem::path& path);

// The names of a classifier's classes, as its run keeps them.
std::vector<std::string> read_classes(const RunDirectory& run);
void write_classes(const RunDirectory& run, const std::vector<std::string>& classes);

// The mean clip of a run's training data: as the run keeps it, where it does; made and stored.
std::optional<std::vector<float>> load_mean_clip(const RunDirectory& run, const Shape& shape);
std::vector<float> make_mean_clip(const RunDirectory& run, const Dataset& train);

}  // namespace framefold

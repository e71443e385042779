// What a step of training is made of, from a configuration: all but the loop and the run's folder.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/parts.h"
#include "cli/paths.h"
#include "engine/executor.h"

namespace framefold {

struct TrainingParts {
  // Weights are drawn from the seed, operations profiled on the CPU. Error(config) where no clip is
  // left to train on, Error(unavailable) without the device, Error(memory) where it is too small.
  // Paths to measure (train.path) are those of the file `kept` where there is one.
  explicit TrainingParts(const Config& given, const std::filesystem::path& kept = {});

  Config config;       // with this machine's threads and the data's classes
  std::string device;  // its name
  Split data;
  std::vector<std::string> classes;  // classify: their names
  Compiled compiled;
  std::optional<MeasuredPaths> paths;
  std::unique_ptr<Parameters> parameters;
  std::unique_ptr<Executor> executor;
  std::unique_ptr<Optimizer> optimizer;
  std::unique_ptr<LoaderSource> source;
};

}  // namespace framefold

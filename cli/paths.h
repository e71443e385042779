// Measured paths of a training plan (train.path=measured), remembered by machine and kept by runs.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/choice.h"

namespace framefold {

struct MeasuredPaths {
  Choices choices;
  std::string report;  // a table; empty where the plan has nothing to choose
};

// Takes `kept`, a run's file, where it is one; else what this machine's file in the cache knows,
// which is passed over with a note in the report where it is damaged or another machine's. What is
// missing is measured, and added to the cache.
MeasuredPaths measure_paths(const std::shared_ptr<const Plan>& plan,
                            const std::filesystem::path& kept);

// What a measurement holds for: version, processor, threads, libraries.
std::string machine_of(const Stream& stream);

}  // namespace framefold

// Which path the steps of a plan take where ours and a vendor's stand side by side: both are timed
// at the real shapes, the faster is kept and remembered in a file. Steps of one signature take one
// path. A measured choice depends on the clock, so the bits of results do: who wants them again
// keeps the choices.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/plan.h"

namespace framefold {

// All that a step's time depends on but for the machine: operation, direction, attributes, types of
// operands, which gradients are wanted. Empty where there is nothing to choose; the same for both
// directions of an operation that must take one path.
std::string signature_of(const Plan& plan, const Step& step);

using Choices = std::map<std::string, Path>;  // by signature: native or vendor

// Seconds of every step of a plan in one run in which those with a choice take `path`.
using StepTimer = std::function<std::vector<double>(Path path)>;
// Runs the plan on weights and an arena of its own; inputs are zeros.
StepTimer timer_of(std::shared_ptr<const Plan> plan);  // of a plan with both_paths

struct ChoiceRow {
  std::string signature;
  int steps = 0;
  double native = 0, vendor = 0;  // seconds of all of them; both 0 where the choice was known
  Path path = Path::native;
};

// Adds to `choices` what the plan needs and they lack, each path timed four times and its fastest
// run counted, so that the first one warms up; ours where both are equal. The timer is called for
// nothing but that. Returns the plan's choices in the order of its steps.
std::vector<ChoiceRow> choose(const Plan& plan, Choices& choices, const StepTimer& timer);

// The path of each step, for Executor::take; the stream's own where there is no choice.
std::vector<Path> paths_of(const Plan& plan, const Choices& choices);

// A safetensors file of metadata alone, with its hash. Reading is an Error where the file is
// damaged, holds anything else or, unless `machine` is empty, was measured on another one.
void write_choices(const std::filesystem::path& path, const std::string& machine,
                   const Choices& choices);
Choices read_choices(const std::filesystem::path& path, const std::string& machine);

}  // namespace framefold

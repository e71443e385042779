// Where the time of a step went, operation by operation.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/command.h"
#include "engine/executor.h"

namespace framefold {

// What a machine can do at most; nobody knows it by itself.
struct Floor {
  double flops = 0;  // a second
  double bytes = 0;  // a second, to and from memory
};
// "790,4.3": TFLOP/s and TB/s; Error(config) for anything else.
Floor parse_floor(const std::string& text);

struct ProfileRow {
  std::string op, phase;  // forward, backward
  int count = 0;          // a run
  double seconds = 0;     // a run, as the following
  double flops = 0, bytes = 0;

  // The time that this work takes at the floor, of the time that it took.
  double share_of(const Floor& floor) const;
};
std::vector<ProfileRow> profile_rows(const Executor& executor);  // by falling time

std::string profile_text(const std::vector<ProfileRow>& rows, const std::optional<Floor>& floor);
// A mean step for chrome://tracing and Perfetto: its operations one after the other.
Json trace_of(const Executor& executor);

}  // namespace framefold

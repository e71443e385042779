// What a training run will take, known before anything of it is allocated.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/parts.h"

namespace framefold {

// One operation's share of a step.
struct OpCost {
  std::string op;
  int count = 0;
  double forward_flops = 0, backward_flops = 0;
};

struct PlanReport {
  Index batch = 0;
  Index parameters = 0;  // trained numbers
  Index code = 0;        // numbers of a clip's code
  Bytes values = 0;      // parameters and running statistics
  Bytes gradients = 0, optimizer = 0;
  Bytes arena = 0, arena_bound = 0;             // of the training plan; no placement needs less
  Bytes evaluation = 0;                         // arena of the plan that evaluates
  Bytes data = 0;                               // batches read ahead
  Bytes forward = 0, backward = 0, update = 0;  // bytes in use at each phase's peak
  Bytes total = 0;                              // bytes held by a run: the sum of what it allocates
  std::vector<OpCost> ops;                      // by falling cost
  double forward_flops = 0, backward_flops = 0;
};

PlanReport plan_report(const Config& config, Index batch);
nlohmann::ordered_json to_json(const PlanReport& report);

// The largest batch whose total fits; none where one clip does not.
std::optional<Index> largest_batch(const Config& config, Bytes memory);

// Rows "parameters", "1.5 MiB" and so on, for text and page alike.
std::vector<std::vector<std::string>> memory_rows(const PlanReport& report);
std::vector<std::vector<std::string>> flops_rows(const PlanReport& report);
inline const std::vector<std::string> flops_heading = {"operation", "count", "forward", "backward",
                                                       "share"};

}  // namespace framefold

// The learning rate as a pure function of the step: a resumed run needs no state for it.
//
// Warm-up: step s < warmup (counted from 0) runs at (s + 1) / warmup of the rate. Then, with
// t = s - warmup and n = steps - warmup:
//
//   constant  rate
//   cosine    minimum + (rate - minimum) (1 + cos(pi t / n)) / 2; minimum from `steps` on
//             (Loshchilov and Hutter 2017, without restarts)
//   decay     rate factor^floor(t / every)
#pragma once

#include <cstdint>
#include <string_view>

#include "kernels/tensor.h"

namespace framefold {

enum class ScheduleKind : std::uint8_t { constant, cosine, decay };

ScheduleKind schedule_kind(std::string_view name);  // Error(config) names the known ones
std::string_view name_of(ScheduleKind kind);

struct Schedule {
  ScheduleKind kind = ScheduleKind::constant;
  double rate = 1e-3;
  Index warmup = 0;     // steps
  Index steps = 0;      // cosine: of the whole run, warm-up included
  double minimum = 0;   // cosine
  Index every = 0;      // decay: steps
  double factor = 0.1;  // decay

  void check() const;  // Error(config) for values that make no schedule
  double at(Index step) const;
};

}  // namespace framefold

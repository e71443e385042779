#include "engine/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "kernels/error.h"

namespace framefold {

ScheduleKind schedule_kind(std::string_view name) {
  for (const auto kind : {ScheduleKind::constant, ScheduleKind::cosine, ScheduleKind::decay})
    if (name == name_of(kind)) return kind;
  fail(ErrorCode::config, "schedule: ", name, " is unknown, expected constant, cosine or decay");
}

std::string_view name_of(ScheduleKind kind) {
  switch (kind) {
    case ScheduleKind::constant: return "constant";
    case ScheduleKind::cosine: return "cosine";
    case ScheduleKind::decay: return "decay";
  }
  return "";
}

void Schedule::check() const {
  const auto expect = [](bool holds, const auto&... words) {
    if (!holds) fail(ErrorCode::config, "schedule: ", words...);
  };
  expect(rate >= 0 && std::isfinite(rate), "the rate is ", rate, ", expected a number from 0 on");
  expect(warmup >= 0, "warm-up takes ", warmup, " steps, expected 0 or more");
  if (kind == ScheduleKind::cosine) {
    expect(minimum >= 0 && minimum <= rate, "the minimum is ", minimum, ", expected 0 to the rate ",
           rate);
    expect(steps > warmup, "cosine ends at step ", steps, ", expected more than the ", warmup,
           " steps of its warm-up; lengthen the run or shorten the warm-up");
  }
  if (kind == ScheduleKind::decay) {
    expect(every > 0, "decays every ", every, " steps, expected 1 or more");
    expect(factor > 0 && factor <= 1, "decays by ", factor, ", expected above 0, at most 1");
  }
}

double Schedule::at(Index step) const {
  if (step < warmup) return rate * static_cast<double>(step + 1) / static_cast<double>(warmup);
  const Index since = step - warmup;
  switch (kind) {
    case ScheduleKind::constant: return rate;
    case ScheduleKind::cosine: {
      const double part =
          std::min(1.0, static_cast<double>(since) / static_cast<double>(steps - warmup));
      return minimum + (rate - minimum) * (1 + std::cos(std::numbers::pi * part)) / 2;
    }
    case ScheduleKind::decay: {
      const Index times = since / every;
      return rate * std::pow(factor, static_cast<double>(times));
    }
  }
  return rate;
}

}  // namespace framefold

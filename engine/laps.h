// Time spent on the parts of a step.
#pragma once

#include <chrono>

namespace framefold {

// Adds the seconds since the last call, or since construction, to one part.
class Laps {
 public:
  using Clock = std::chrono::steady_clock;

  void add_to(double& part) {
    const Clock::time_point now = Clock::now();
    part += std::chrono::duration<double>(now - last_).count();
    last_ = now;
  }

 private:
  Clock::time_point last_ = Clock::now();
};

}  // namespace framefold

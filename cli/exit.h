// What the command exits with. docs/command.md holds the same table.
#pragma once

#include "cli/stop.h"
#include "kernels/error.h"

namespace framefold {

enum Exit : int {
  exit_done = 0,
  exit_internal = 1,     // an error that should not occur: a bug
  exit_usage = 2,        // the command line or the configuration
  exit_data = 3,         // a file that is missing, unreadable, damaged or in the way
  exit_memory = 4,       // not enough memory
  exit_numeric = 5,      // a NaN or an infinity
  exit_unavailable = 6,  // this build or machine lacks something
  exit_interrupted = StopSignal::exit_code,  // 75: stopped by a signal, saved, --resume continues
};

inline int exit_code(ErrorCode code) {
  switch (code) {
    case ErrorCode::argument:
    case ErrorCode::shape:
    case ErrorCode::config: return exit_usage;
    case ErrorCode::file:
    case ErrorCode::format: return exit_data;
    case ErrorCode::memory: return exit_memory;
    case ErrorCode::numeric: return exit_numeric;
    case ErrorCode::interrupted: return exit_interrupted;
    case ErrorCode::unavailable: return exit_unavailable;
  }
  return exit_internal;
}

}  // namespace framefold

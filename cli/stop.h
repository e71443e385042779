// Asks the training loop to stop: SIGTERM, SIGINT and SIGHUP (the terminal is gone), while a
// StopSignal lives, raise a flag instead of ending the process. A second signal of the same kind
// ends it as usual, so that an impatient Ctrl-C works.
#pragma once

#include <csignal>

namespace framefold {

class StopSignal {
 public:
  StopSignal();
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  static bool requested();
  static void leave_if_requested();  // by Error(interrupted)

  // What a command exits with after Ending::interrupted: sysexits' EX_TEMPFAIL, "try again later";
  // the run continues from its last step with --resume.
  static constexpr int exit_code = 75;

 private:
  struct sigaction terminate_ = {};
  struct sigaction interrupt_ = {};
  struct sigaction hang_up_ = {};
};

}  // namespace framefold

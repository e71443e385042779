#include "cli/stop.h"

#include "kernels/error.h"

namespace framefold {
namespace {

volatile std::sig_atomic_t raised = 0;

void raise_flag(int) { raised = 1; }

// Where a shell made a background job ignore the signal, it stays ignored.
void listen(int signal, struct sigaction* before) {
  struct sigaction action = {};
  action.sa_handler = raise_flag;
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
  sigemptyset(&action.sa_mask);
  sigaction(signal, &action, before);
  if (before->sa_handler == SIG_IGN) sigaction(signal, before, nullptr);
}

}  // namespace

StopSignal::StopSignal() {
  raised = 0;
  listen(SIGTERM, &terminate_);
  listen(SIGINT, &interrupt_);
  listen(SIGHUP, &hang_up_);
}

StopSignal::~StopSignal() {
  sigaction(SIGTERM, &terminate_, nullptr);
  sigaction(SIGINT, &interrupt_, nullptr);
  sigaction(SIGHUP, &hang_up_, nullptr);
}

bool StopSignal::requested() { return raised != 0; }

void StopSignal::leave_if_requested() {
  if (requested()) fail(ErrorCode::interrupted, "interrupted by a signal");
}

}  // namespace framefold

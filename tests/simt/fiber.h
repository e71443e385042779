// Stacks to switch between. On x86-64 a switch is a few instructions; elsewhere ucontext's.
#pragma once

#include <cstddef>

#include "tests/simt/machine.h"

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace simt {

struct Fiber {
  char* stack = nullptr;  // its lowest address; null for the program's own stack
  std::size_t bytes = 0;
  bool begun = false;
#if defined(__x86_64__)
  void* top = nullptr;
#else
  ucontext_t context{};
#endif
#if SIMT_ASAN
  void* fake_stack = nullptr;
  const void* bottom = nullptr;  // of the program's own stack
#endif
};

// Goes from the running fiber to another, whose first switch enters `entry`. `forever`: nobody
// comes back to `from`.
void switch_fiber(Fiber& from, Fiber& to, void (*entry)(), bool forever);

// What entry calls first.
void fiber_entered(Fiber& self);

}  // namespace simt

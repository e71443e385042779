// Fork and join for loops over pieces: one crew of sleeping threads for each thread that calls.
//
// run_pieces(pieces, task) calls task(0) ... task(pieces - 1) once each and returns when all have
// ended. The caller runs piece 0 and offers the others to its crew, which grows to the most pieces
// ever asked for; what a worker has not begun by then, the caller runs itself. A task that calls
// run_pieces runs those pieces in turn. Of the errors thrown, the lowest piece's is thrown again.
//
// Who waits spins for a fraction of a millisecond and then sleeps: the next loop usually follows at
// once, and a machine that other programs share is not kept busy by waiting.
#pragma once

#include "kernels/tensor.h"

namespace framefold {

// A callable that lives as long as the call it is handed to.
class PieceTask {
 public:
  template <class Callable>
  PieceTask(Callable& callable)  // NOLINT(bugprone-forwarding-reference-overload): by design
      : callable_(&callable),
        call_([](void* given, Index piece) { (*static_cast<Callable*>(given))(piece); }) {}
  void operator()(Index piece) const { call_(callable_, piece); }

 private:
  void* callable_;
  void (*call_)(void*, Index);
};

void run_pieces(Index pieces, const PieceTask& task);

}  // namespace framefold

#include "kernels/threads.h"

#include <pthread.h>

#include <atomic>
#include <exception>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

namespace framefold {
namespace {

constexpr int spins = 10000;  // some 0.3 ms: longer than the gap between most loops

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

// Waits while `state` is `old`.
void await_change(const std::atomic<int>& state, int old) {
  for (int i = 0; i < spins; ++i) {
    if (state.load(std::memory_order_acquire) != old) return;
    relax();
  }
  state.wait(old, std::memory_order_acquire);
}

thread_local bool inside_piece = false;

class Worker {
 public:
  Worker() : thread_([this] { work(); }) {}
  ~Worker() {
    set(stop);
    thread_.join();
  }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void offer(const PieceTask& task, Index piece) {
    task_ = &task;
    piece_ = piece;
    set(offered);
  }
  // Runs the piece on the caller where the worker has not begun; otherwise waits for its end.
  std::exception_ptr finish() {
    if (claim(idle))
      run();
    else
      await_change(state_, taken);
    return std::exchange(error_, nullptr);
  }

 private:
  enum State : int { idle, offered, taken, stop };

  void set(State state) {
    state_.store(state, std::memory_order_release);
    state_.notify_one();
  }
  bool claim(State next) {
    int expected = offered;
    return state_.compare_exchange_strong(expected, next, std::memory_order_acq_rel);
  }
  void run() {
    try {
      (*task_)(piece_);
    } catch (...) {
      error_ = std::current_exception();
    }
  }
  void work() {
    inside_piece = true;
    for (;;) {
      await_change(state_, idle);
      if (state_.load(std::memory_order_acquire) == stop) return;
      if (!claim(taken)) continue;
      run();
      set(idle);
    }
  }

  alignas(64) std::atomic<int> state_ = idle;
  const PieceTask* task_ = nullptr;
  Index piece_ = 0;
  std::exception_ptr error_;
  std::thread thread_;  // last: it uses what stands above
};

using Crew = std::vector<std::unique_ptr<Worker>>;
thread_local Crew crew;

// A forked child has none of its parent's threads: it forgets them and makes its own.
const int on_fork = ::pthread_atfork(nullptr, nullptr, [] {
  for (auto& worker : crew) static_cast<void>(worker.release());
  crew.clear();
});

}  // namespace

void run_pieces(Index pieces, const PieceTask& task) {
  if (inside_piece || pieces <= 1) {
    for (Index piece = 0; piece < pieces; ++piece) task(piece);
    return;
  }
  while (static_cast<Index>(crew.size()) < pieces - 1) crew.push_back(std::make_unique<Worker>());
  for (Index piece = 1; piece < pieces; ++piece)
    crew[static_cast<std::size_t>(piece) - 1]->offer(task, piece);
  std::exception_ptr error;
  inside_piece = true;
  try {
    task(0);
  } catch (...) {
    error = std::current_exception();
  }
  for (Index piece = 1; piece < pieces; ++piece) {
    const std::exception_ptr other = crew[static_cast<std::size_t>(piece) - 1]->finish();
    if (!error) error = other;
  }
  inside_piece = false;
  if (error) std::rethrow_exception(error);
}

}  // namespace framefold

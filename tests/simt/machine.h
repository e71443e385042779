// Private to the runtime: the block that runs, its threads and their memory.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "tests/simt/runtime.h"
#include "tests/simt/simt.h"

#if defined(__SANITIZE_ADDRESS__)
#define SIMT_ASAN 1
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#else
#define SIMT_ASAN 0
#endif

namespace simt {

constexpr int most_threads = 1024;
constexpr int lanes_of_warp = 32;

// The running kernel breaks a rule: ends the launch.
[[noreturn]] void violation(const std::string& what);

struct Position {  // of the running thread
  int thread;
  int warp;
};
inline int current_thread = -1;  // of the block that runs; -1: no kernel runs
inline bool running() { return current_thread >= 0; }
inline Position position() { return {current_thread, current_thread / lanes_of_warp}; }
std::string thread_name(int thread);

// Time as the race checker counts it. Epochs rise over the whole program: at every launch, block
// and barrier. Within an epoch every warp counts its __syncwarp.
struct Clock {
  std::uint32_t epoch = 1;
  std::uint32_t block_begin = 1;
  std::uint32_t launch_begin = 1;
  std::array<std::uint16_t, most_threads / lanes_of_warp> warp{};

  void next_epoch() {
    ++epoch;
    warp.fill(0);
  }
};
extern Clock current_clock;

// What the scheduler offers to asynchronous copies (async.cpp).
void wait_for(const void* what, std::string_view operation);  // until made ready
bool waits_for(int thread, const void* what);
void make_ready(int thread);
bool draw(int of);  // once in so many times; never where threads run in order
int threads_of_block();

// What asynchronous copies offer to the scheduler.
void begin_block_copies();
void end_block_copies();      // nothing may be on its way
void leave_with_copies();     // nor of a thread that leaves
bool land_a_copy(bool must);  // some bulk copy, where there is one
std::string where_mbarriers_stand();

// The race checker's side of copies; nothing under the address sanitizer.
void note_access(const void* p, std::size_t bytes, bool write);
void set_in_flight(const void* p, std::size_t bytes);
void note_awaited(const void* p, std::size_t bytes);  // no longer; written by this thread

// Mbarriers order single threads. From a block's first mbarrier on, shared memory is checked by
// what every thread knows of the others' progress. An agent is a thread, or behind the threads the
// copies of one mbarrier.
using Progress = std::vector<std::uint32_t>;  // by agent
void begin_block_order();
void order_by_progress();  // from now on
void release(Progress& to);
void acquire(const Progress& from);
void join_progress(int first_thread, int count);  // each has seen what all of them had done
void join_fence();                                // copies see what this thread knows of
void expect_fenced(const void* p, std::size_t bytes);
void note_copied(const void* p, std::size_t bytes, int agent, std::uint32_t progress);  // the same

// A kernel may touch device memory while the host keeps out.
void let_kernel_in();
void let_kernel_out();

// Throws Error where no device takes the launch.
void expect_launchable(std::string_view kernel, dim3 grid, dim3 block, std::size_t dynamic_bytes);

// Shared memory is taken anew by every block.
void begin_block_memory(std::size_t dynamic_bytes);
void end_block_memory();

}  // namespace simt

#include "tests/simt/machine.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <map>
#include <numeric>
#include <random>

#include "kernels/error.h"
#include "tests/simt/fiber.h"
#include "tests/simt/memory.h"

uint3 threadIdx;
uint3 blockIdx;
dim3 blockDim;
dim3 gridDim;

namespace simt {

using framefold::text;

Clock current_clock;

namespace {

constexpr std::size_t stack_bytes = (SIMT_ASAN ? 256 : 64) * 1024;
constexpr std::size_t page = 4096;

struct Thread {
  Fiber* fiber = nullptr;  // null before its first run
  uint3 index;
  std::string_view operation;  // what it waits in; empty: it can run
  int line = 0;
  void* argument = nullptr;
  const void* what = nullptr;  // the mbarrier that it waits for
  bool done = false;
};

enum class Schedule { in_order, one_warp, any };

struct Machine {
  std::vector<Thread> threads;
  std::array<std::uint32_t, lanes_of_warp> ready{};  // by warp, a bit a lane
  int count = 0;
  int alive = 0;
  int arrived = 0;  // at the barrier
  const char* barrier_file = nullptr;
  int barrier_line = 0;
  std::array<std::uint32_t, lanes_of_warp> in_collective{};  // by warp, the lanes that wait
  std::array<bool, lanes_of_warp> left{};                    // by warp, whether a lane is done

  Fiber main;
  std::vector<Fiber> fibers;
  std::vector<Fiber*> free_fibers;
  const std::function<void()>* body = nullptr;
  std::string error;
  std::string_view kernel;
};

Machine machine;
std::uint64_t seed = 0;
std::mt19937_64 random_bits;
Schedule schedule = Schedule::in_order;

int random_below(int bound) {
  return static_cast<int>(random_bits() % static_cast<std::uint64_t>(bound));
}

}  // namespace

void make_ready(int thread) {
  machine.threads[static_cast<std::size_t>(thread)].operation = {};
  machine.ready[static_cast<std::size_t>(thread / lanes_of_warp)] |= 1U << thread % lanes_of_warp;
}

bool draw(int of) { return schedule != Schedule::in_order && random_below(of) == 0; }
int threads_of_block() { return machine.count; }

namespace {

int warps() { return (machine.count + lanes_of_warp - 1) / lanes_of_warp; }

int random_bit(std::uint32_t bits) {
  for (int skip = random_below(std::popcount(bits)); skip > 0; --skip) bits &= bits - 1;
  return std::countr_zero(bits);
}

// The next thread to run, or -1 where none can.
int pick() {
  land_a_copy(false);
  const int own = std::max(current_thread, 0) / lanes_of_warp;
  int warp = own;
  if (schedule == Schedule::any || machine.ready[static_cast<std::size_t>(own)] == 0) {
    const int first = schedule == Schedule::in_order ? own : random_below(warps());
    int tried = 0;
    for (warp = first; machine.ready[static_cast<std::size_t>(warp)] == 0; ++tried) {
      if (tried == warps()) return -1;
      warp = (warp + 1) % warps();
    }
  }
  std::uint32_t& ready = machine.ready[static_cast<std::size_t>(warp)];
  const int lane = schedule == Schedule::in_order ? std::countr_zero(ready) : random_bit(ready);
  ready &= ~(1U << lane);
  return warp * lanes_of_warp + lane;
}

Fiber* new_fiber() {
  if (machine.fibers.empty()) {
    machine.fibers.resize(most_threads);
    void* stacks = mmap(nullptr, stack_bytes * most_threads, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stacks == MAP_FAILED) throw Error("no memory for the stacks of a block's threads");
    for (std::size_t i = 0; i < most_threads; ++i) {
      char* lowest = static_cast<char*>(stacks) + i * stack_bytes;
      mprotect(lowest, page, PROT_NONE);
      machine.fibers[i].stack = lowest + page;
      // Different tops: equal ones would put every hot frame into the same sets of the cache.
      machine.fibers[i].bytes = stack_bytes - page - i * 5 % 61 * 64;
      machine.free_fibers.push_back(&machine.fibers[i]);
    }
  }
  Fiber* fiber = machine.free_fibers.back();
  machine.free_fibers.pop_back();
  fiber->begun = false;
#if SIMT_ASAN
  fiber->fake_stack = nullptr;
  __asan_unpoison_memory_region(fiber->stack, fiber->bytes);
#endif
  return fiber;
}

Thread& current() { return machine.threads[static_cast<std::size_t>(current_thread)]; }

void thread_main();

// Runs `next` on; comes back when the thread that called is picked again.
void run(int next) {
  if (next == current_thread) return;
  Fiber& from = *current().fiber;
  current_thread = next;
  threadIdx = current().index;
  if (!current().fiber) current().fiber = new_fiber();
  switch_fiber(from, *current().fiber, thread_main, false);
}

void leave_block() {
  Fiber& from = *current().fiber;
  current_thread = -1;
  switch_fiber(from, machine.main, thread_main, true);
}

std::string where_all_wait() {
  std::map<std::string, int> waiting;
  for (const Thread& thread : machine.threads)
    if (!thread.done)
      ++waiting[thread.what ? text(thread.operation, " for ", name_of_address(thread.what))
                            : text(thread.operation, " at line ", thread.line)];
  std::string line = "deadlock: ";
  for (const auto& [what, threads] : waiting)
    line += text(threads, " threads wait in ", what, ", ");
  return text(line, machine.count - machine.alive, " have left", where_mbarriers_stand());
}

void wait(std::string_view operation, int line) {
  current().operation = operation;
  current().line = line;
  int next = pick();
  while (next < 0 && land_a_copy(true)) next = pick();
  if (next < 0) violation(where_all_wait());
  run(next);
}

// After others became ready: in a random schedule one of them may go first.
void maybe_wait() {
  if (schedule == Schedule::in_order) return;
  make_ready(current_thread);
  run(pick());
}

// A stack that one thread has left serves the next that begins.
void thread_main() {
  fiber_entered(*current().fiber);
  for (;;) {
    (*machine.body)();
    leave_with_copies();
    current().done = true;
    --machine.alive;
    machine.left[static_cast<std::size_t>(position().warp)] = true;
    if (machine.arrived > 0)
      violation(text("a thread leaves while others wait in __syncthreads at line ",
                     machine.barrier_line));
    if (machine.in_collective[static_cast<std::size_t>(position().warp)] != 0)
      violation("a lane leaves while others of its warp wait for it");
    Fiber* own = current().fiber;
    int next = machine.alive == 0 ? -1 : pick();
    while (machine.alive > 0 && next < 0 && land_a_copy(true)) next = pick();
    if (machine.alive == 0) end_block_copies();
    if (machine.alive > 0 && next < 0) violation(where_all_wait());
    if (next < 0) leave_block();
    if (machine.threads[static_cast<std::size_t>(next)].fiber) {
      machine.free_fibers.push_back(own);
      current_thread = next;
      threadIdx = current().index;
      switch_fiber(*own, *current().fiber, thread_main, true);
    }
    current_thread = next;
    current().fiber = own;
    threadIdx = current().index;
  }
}

void run_block() {
  machine.count = static_cast<int>(blockDim.x * blockDim.y * blockDim.z);
  machine.alive = machine.count;
  machine.arrived = 0;
  machine.in_collective.fill(0);
  machine.left.fill(false);
  begin_block_copies();
  begin_block_order();
  machine.threads.assign(static_cast<std::size_t>(machine.count), {});
  for (unsigned i = 0; i < static_cast<unsigned>(machine.count); ++i) {
    machine.threads[i].index = {i % blockDim.x, i / blockDim.x % blockDim.y,
                                i / (blockDim.x * blockDim.y)};
    make_ready(static_cast<int>(i));
  }
  current_thread = -1;
  const int first = pick();
  current_thread = first;
  threadIdx = current().index;
  current().fiber = new_fiber();
#if SIMT_ASAN  // frames that a violation leaves are not unwound: what they own is no leak
  const __lsan::ScopedDisabler keep;
#endif
  switch_fiber(machine.main, *current().fiber, thread_main, false);
  machine.free_fibers.clear();
  for (Fiber& fiber : machine.fibers) machine.free_fibers.push_back(&fiber);
  std::reverse(machine.free_fibers.begin(), machine.free_fibers.end());
}

Names& names_known() {
  static Names names;
  return names;
}

Names& names_executed() {
  static Names names;
  return names;
}

}  // namespace

std::string why_no_device() { return {}; }
bool has_bulk_copies() { return true; }

void set_schedule(std::uint64_t wanted) {
  seed = wanted;
  schedule = wanted == 0       ? Schedule::in_order
             : wanted % 2 == 1 ? Schedule::one_warp
                               : Schedule::any;
}

Known::Known(std::string_view kernel) { names_known().insert(std::string(kernel)); }
const Names& known_kernels() { return names_known(); }
const Names& executed_kernels() { return names_executed(); }

int lane() { return current_thread % lanes_of_warp; }

void wait_for(const void* what, std::string_view operation) {
  current().what = what;
  wait(operation, 0);
  current().what = nullptr;
}

bool waits_for(int thread, const void* what) {
  const Thread& one = machine.threads[static_cast<std::size_t>(thread)];
  return !one.operation.empty() && one.what == what;
}

std::string thread_name(int thread) {
  const uint3 at = machine.threads[static_cast<std::size_t>(thread)].index;
  return text("thread (", at.x, ", ", at.y, ", ", at.z, ")");
}

void violation(const std::string& what) {
  machine.error = text(machine.kernel, ", block (", blockIdx.x, ", ", blockIdx.y, ", ", blockIdx.z,
                       "), ", thread_name(current_thread), ": ", what);
  leave_block();  // the block's other threads stay where they are; nothing of them needs destroying
  __builtin_unreachable();
}

void expect_launchable(std::string_view kernel, dim3 grid, dim3 block, std::size_t dynamic_bytes) {
  const auto refuse = [&](const char* what) {
    throw Error(text(kernel, ": launched with ", what));
  };
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) refuse("no blocks");
  if (grid.x > 0x7fffffffU || grid.y > 65535 || grid.z > 65535) refuse("too many blocks");
  const unsigned threads = block.x * block.y * block.z;
  if (threads == 0 || threads > most_threads || block.z > 64) refuse("0 or more than 1024 threads");
  if (threads % lanes_of_warp != 0) refuse("an incomplete warp");
  if (dynamic_bytes > 227 * 1024) refuse("more than 227 KiB of shared memory");
}

void run_grid(std::string_view kernel, dim3 grid, dim3 block, std::size_t dynamic_bytes,
              const std::function<void()>& body) {
  let_kernel_in();
  random_bits.seed(seed);
  machine.kernel = kernel;
  machine.body = &body;
  machine.error.clear();
  gridDim = grid;
  blockDim = block;
  current_clock.next_epoch();
  current_clock.launch_begin = current_clock.epoch;
  std::vector<unsigned> order(std::size_t{grid.x} * grid.y * grid.z);
  std::iota(order.begin(), order.end(), 0U);
  if (schedule != Schedule::in_order) std::shuffle(order.begin(), order.end(), random_bits);
  for (const unsigned i : order) {
    blockIdx = {i % grid.x, i / grid.x % grid.y, i / (grid.x * grid.y)};
    current_clock.next_epoch();
    current_clock.block_begin = current_clock.epoch;
    begin_block_memory(dynamic_bytes);
    run_block();
    end_block_memory();
    if (!machine.error.empty()) throw Error(machine.error);
  }
  let_kernel_out();
  names_executed().insert(std::string(kernel));
}

void barrier(const char* file, int line) {
  if (machine.alive < machine.count)
    violation(text("__syncthreads at line ", line, " after ", machine.count - machine.alive,
                   " threads have left"));
  if (machine.arrived > 0 && (machine.barrier_line != line || machine.barrier_file != file))
    violation(text("__syncthreads at line ", line, " while others wait in the one at line ",
                   machine.barrier_line));
  machine.barrier_file = file;
  machine.barrier_line = line;
  if (++machine.arrived < machine.count) return wait("__syncthreads", line);
  machine.arrived = 0;
  current_clock.next_epoch();
  join_progress(0, machine.count);
  for (int i = 0; i < machine.count; ++i)
    if (i != current_thread) make_ready(i);
  maybe_wait();
}

void collective(std::string_view operation, int line, unsigned mask, void* argument,
                void (*resolve)(void* const* lanes)) {
  if (mask != 0xffffffffU) violation(text(operation, ": its mask is not the whole warp"));
  const int warp = position().warp;
  if (machine.left[static_cast<std::size_t>(warp)])
    violation(text(operation, " after a lane of the warp has left"));
  Thread* lanes = &machine.threads[static_cast<std::size_t>(warp * lanes_of_warp)];
  std::uint32_t& waiting = machine.in_collective[static_cast<std::size_t>(warp)];
  if (waiting != 0) {
    const Thread& other = lanes[std::countr_zero(waiting)];
    if (other.operation != operation || other.line != line)
      violation(text(operation, " at line ", line, " while a lane waits in ", other.operation,
                     " at line ", other.line));
  }
  current().argument = argument;
  waiting |= 1U << lane();
  if (waiting != 0xffffffffU) return wait(operation, line);
  waiting = 0;
  void* arguments[lanes_of_warp];
  for (int i = 0; i < lanes_of_warp; ++i) arguments[i] = lanes[i].argument;
  if (resolve) {
    resolve(arguments);
  } else {
    ++current_clock.warp[static_cast<std::size_t>(warp)];
    join_progress(warp * lanes_of_warp, lanes_of_warp);
  }
  for (int i = 0; i < lanes_of_warp; ++i)
    if (i != lane()) make_ready(warp * lanes_of_warp + i);
  maybe_wait();
}

}  // namespace simt

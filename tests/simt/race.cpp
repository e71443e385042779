// The race and address checker: GCC's and clang's -fsanitize=thread calls __tsan_* at every access;
// here they are ours. An access is ordered behind another one of the same thread, of an earlier
// epoch (a barrier of the block lies between), or of the same warp before a __syncwarp. Blocks of a
// launch are never ordered.
//
// Mbarriers order threads one by one. From a block's first one on, its accesses to shared memory
// are checked by clocks: every thread counts its releases and knows of the others' counts what it
// acquired. What was before it can no longer be in the same epoch.
#include <algorithm>
#include <bit>
#include <unordered_map>

#include "kernels/error.h"
#include "tests/simt/machine.h"
#include "tests/simt/memory.h"

namespace simt {
namespace {

bool instrumented = false;

[[noreturn]] void race(const void* p, const char* kind, int other) {
  violation(framefold::text("race: ", kind, " ", name_of_address(p), ", of ",
                            other < 0 ? "another block" : thread_name(other),
                            ", with nothing between that orders them"));
}

struct Access {
  const void* address;
  bool write;
  Position me;
  std::uint16_t sync;       // my warp's count of __syncwarp
  std::uint32_t forgotten;  // epochs before it do not matter
};

bool ordered(const Access& access, std::uint32_t epoch, int thread, std::uint16_t sync) {
  return epoch < current_clock.epoch || thread == access.me.thread ||
         (thread / lanes_of_warp == access.me.warp && sync < access.sync);
}

void check_write(const Access& access, const Cell& cell) {
  if (cell.written < access.forgotten || cell.written == 0) return;
  const char* kind = access.write ? "write after write" : "read after write";
  if (cell.written < current_clock.block_begin) race(access.address, kind, -1);
  if (!ordered(access, cell.written, cell.writer, cell.write_sync))
    race(access.address, kind, cell.writer);
}

void check_reads(const Access& access, const Cell& cell) {
  if (cell.first_read != 0 && cell.first_read >= access.forgotten &&
      cell.first_read < current_clock.block_begin)
    race(access.address, "write after read", -1);
  if (cell.read != current_clock.epoch) return;
  const bool same_warp = cell.reader / lanes_of_warp == access.me.warp;
  const bool alone = !cell.lanes_read && cell.reader == access.me.thread;
  if (cell.warps_read || !same_warp || (cell.read_sync == access.sync && !alone))
    race(access.address, "write after read", cell.reader);
}

void note_read(const Access& access, Cell& cell) {
  const auto reader = static_cast<std::uint16_t>(access.me.thread);
  if (cell.first_read < access.forgotten || cell.first_read == 0)
    cell.first_read = current_clock.epoch;
  const bool fresh = cell.read != current_clock.epoch;
  const bool same_warp = cell.reader / lanes_of_warp == access.me.warp;
  cell.warps_read = !fresh && (cell.warps_read || !same_warp);
  cell.lanes_read = !fresh && same_warp && cell.read_sync == access.sync &&
                    (cell.lanes_read || cell.reader != reader);
  cell.read = current_clock.epoch;
  cell.reader = reader;
  cell.read_sync = access.sync;
}

void note_write(const Access& access, Cell& cell) {
  cell.written = current_clock.epoch;
  cell.writer = static_cast<std::uint16_t>(access.me.thread);
  cell.write_sync = access.sync;
}

// Accesses to two bytes since the block's first mbarrier.
struct History {
  int writer = -1;  // an agent
  std::uint32_t written = 0;
  std::vector<std::pair<int, std::uint32_t>> readers;  // since it was written
};

struct Order {
  bool by_progress = false;
  std::vector<Progress> known;  // by thread
  Progress fenced;              // what copies know of
  std::unordered_map<const Cell*, History> histories;
};
Order order;

std::uint32_t count_of(const Progress& progress, int agent) {
  const auto at = static_cast<std::size_t>(agent);
  return at < progress.size() ? progress[at] : 0;
}

void join(Progress& to, const Progress& from) {
  to.resize(std::max(to.size(), from.size()));
  for (std::size_t i = 0; i < from.size(); ++i) to[i] = std::max(to[i], from[i]);
}

Progress& known_of(int thread) { return order.known[static_cast<std::size_t>(thread)]; }
std::uint32_t& own_count(int thread) { return known_of(thread)[static_cast<std::size_t>(thread)]; }

void check_history(const Access& access, const Cell& cell) {
  History& history = order.histories[&cell];
  const int me = access.me.thread;
  const auto expect_known = [&](int agent, std::uint32_t count, const char* kind) {
    if (agent == me || count_of(known_of(me), agent) >= count) return;
    if (agent >= threads_of_block())
      violation(framefold::text("race: ", kind, " ", name_of_address(access.address),
                                ", of a copy whose mbarrier this thread has not waited for"));
    race(access.address, kind, agent);
  };
  if (history.writer >= 0)
    expect_known(history.writer, history.written,
                 access.write ? "write after write" : "read after write");
  const auto own = std::find_if(history.readers.begin(), history.readers.end(),
                                [=](const auto& reader) { return reader.first == me; });
  if (!access.write) {
    if (own == history.readers.end())
      history.readers.emplace_back(me, own_count(me));
    else
      own->second = own_count(me);
    return;
  }
  for (const auto& [reader, count] : history.readers)
    expect_known(reader, count, "write after read");
  history = {.writer = me, .written = own_count(me), .readers = {}};
}

bool was_written(const Cell& cell) {
  if (cell.written >= current_clock.block_begin) return true;
  const auto found = order.histories.find(&cell);
  return found != order.histories.end() && found->second.writer >= 0;
}

template <class Body>
void for_cells([[maybe_unused]] const void* p, [[maybe_unused]] std::size_t bytes,
               [[maybe_unused]] Body&& body) {
#if !SIMT_ASAN
  const auto begin =
      static_cast<std::size_t>(static_cast<const std::byte*>(p) - shared_memory.data);
  const std::size_t end = std::min(begin + bytes, shared_memory.bytes);
  for (std::size_t i = begin / cell_bytes; i < end / cell_bytes; ++i)
    body(shared_memory.cells[i], shared_memory.data + i * cell_bytes);
#endif
}

// The hooks see every access of an instrumented kernel; the address sanitizer has its own.
[[maybe_unused]] void on_access(const void* p, std::size_t bytes, bool write) {
  if (!running()) return;
  instrumented = true;
  const bool shared = shared_memory.has(p);
  if (!shared && !device_memory.has(p)) return;
  const Region& region = shared ? shared_memory : device_memory;
  const Position me = position();
  Access access{p, write, me, current_clock.warp[static_cast<std::size_t>(me.warp)],
                shared ? current_clock.block_begin : current_clock.launch_begin};
  const auto begin = static_cast<std::size_t>(static_cast<const std::byte*>(p) - region.data);
  if (std::has_single_bit(bytes) && bytes <= 16) expect_aligned(p, bytes);
  const std::size_t end = begin + bytes;
  for (std::size_t i = begin / cell_bytes; i <= (end - 1) / cell_bytes; ++i) {
    Cell& cell = region.cells[i];
    access.address = region.data + std::max(begin, i * cell_bytes);
    if (std::min(end - i * cell_bytes, cell_bytes) > cell.valid)
      violation(framefold::text(write ? "write" : "read", " outside ", name_of_address(p)));
    if (cell.in_flight)
      violation(framefold::text(write ? "write to " : "read of ", name_of_address(access.address),
                                ", into which a copy is on its way"));
    if (bytes < cell_bytes) return;  // threads may well share a cell byte by byte
    check_write(access, cell);
    if (write) check_reads(access, cell);
    if (shared && !write && !was_written(cell))
      violation(
          framefold::text("read of ", name_of_address(access.address), ", which nobody wrote"));
    if (shared && order.by_progress)
      check_history(access, cell);
    else if (write)
      note_write(access, cell);
    else
      note_read(access, cell);
  }
}

}  // namespace

void expect_aligned(const void* p, std::size_t bytes) {
  if (reinterpret_cast<std::uintptr_t>(p) % bytes != 0)
    violation(framefold::text("misaligned access of ", bytes, " bytes to ", name_of_address(p)));
}

bool checks_races() { return instrumented; }

void note_access([[maybe_unused]] const void* p, std::size_t bytes, [[maybe_unused]] bool write) {
  if (SIMT_ASAN != 0 || bytes == 0) return;
  const bool before = instrumented;
  on_access(p, bytes, write);
  instrumented = before;
}

void set_in_flight(const void* p, std::size_t bytes) {
  for_cells(p, bytes, [](Cell& cell, const void*) { cell.in_flight = true; });
}

// Nobody has touched it since the copy began, which was checked as a write.
void note_awaited(const void* p, std::size_t bytes) {
  const Position me = position();
  const Access access{p, true, me, current_clock.warp[static_cast<std::size_t>(me.warp)], 0};
  for_cells(p, bytes, [&](Cell& cell, const void*) {
    cell.in_flight = false;
    if (order.by_progress)
      order.histories[&cell] = {
          .writer = me.thread, .written = own_count(me.thread), .readers = {}};
    else
      note_write(access, cell);
  });
}

void begin_block_order() { order = {}; }

void order_by_progress() {
  if (order.by_progress) return;
  order.by_progress = true;
  const auto threads = static_cast<std::size_t>(threads_of_block());
  order.known.assign(threads, Progress(threads));
  for (int thread = 0; thread < threads_of_block(); ++thread) own_count(thread) = 1;
}

void release(Progress& to) {
  join(to, known_of(current_thread));
  ++own_count(current_thread);
}

void acquire(const Progress& from) { join(known_of(current_thread), from); }

void join_progress(int first_thread, int count) {
  if (!order.by_progress) return;
  Progress all;
  for (int i = 0; i < count; ++i) join(all, known_of(first_thread + i));
  for (int i = 0; i < count; ++i) {
    known_of(first_thread + i) = all;
    ++own_count(first_thread + i);
  }
}

void join_fence() {
  if (order.by_progress) release(order.fenced);
}

void expect_fenced(const void* p, std::size_t bytes) {
  for_cells(p, bytes, [](const Cell& cell, const void* address) {
    const auto found = order.histories.find(&cell);
    const bool copied =
        found != order.histories.end() && found->second.writer >= threads_of_block();
    const bool fenced = found != order.histories.end() && found->second.writer >= 0
                            ? count_of(order.fenced, found->second.writer) >= found->second.written
                            : cell.written < current_clock.block_begin || !order.fenced.empty();
    if (!copied && !fenced)
      violation(framefold::text("cp.async.bulk into ", name_of_address(address), ", which ",
                                "a thread wrote with no fence.proxy.async since"));
  });
}

void note_copied(const void* p, std::size_t bytes, int agent, std::uint32_t progress) {
  for_cells(p, bytes, [=](Cell& cell, const void*) {
    cell.in_flight = false;
    order.histories[&cell] = {.writer = agent, .written = progress, .readers = {}};
  });
}

}  // namespace simt

#if !SIMT_ASAN

// Every hook is a function of C with this one body.
#define SIMT_HOOKS(bytes)                                                          \
  void __tsan_read##bytes(void* p) { simt::on_access(p, bytes, false); }           \
  void __tsan_write##bytes(void* p) { simt::on_access(p, bytes, true); }           \
  void __tsan_unaligned_read##bytes(void* p) { simt::on_access(p, bytes, false); } \
  void __tsan_unaligned_write##bytes(void* p) { simt::on_access(p, bytes, true); }

extern "C" {
SIMT_HOOKS(1)
SIMT_HOOKS(2)
SIMT_HOOKS(4)
SIMT_HOOKS(8)
SIMT_HOOKS(16)
void __tsan_read_range(void* p, unsigned long n) { simt::on_access(p, n, false); }
void __tsan_write_range(void* p, unsigned long n) { simt::on_access(p, n, true); }
void __tsan_vptr_update(void**, void*) {}
void __tsan_vptr_read(void**) {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_init() {}
}

#endif

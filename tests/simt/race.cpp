// The race and address checker: GCC's and clang's -fsanitize=thread calls __tsan_* at every access;
// here they are ours. An access is ordered behind another one of the same thread, of an earlier
// epoch (a barrier of the block lies between), or of the same warp before a __syncwarp. Blocks of a
// launch are never ordered.
#include <bit>

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
    if (bytes < cell_bytes) return;  // threads may well share a cell byte by byte
    check_write(access, cell);
    if (write) {
      check_reads(access, cell);
      note_write(access, cell);
    } else {
      if (shared && cell.written < current_clock.block_begin)
        violation(
            framefold::text("read of ", name_of_address(access.address), ", which nobody wrote"));
      note_read(access, cell);
    }
  }
}

}  // namespace

void expect_aligned(const void* p, std::size_t bytes) {
  if (reinterpret_cast<std::uintptr_t>(p) % bytes != 0)
    violation(framefold::text("misaligned access of ", bytes, " bytes to ", name_of_address(p)));
}

bool checks_races() { return instrumented; }

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

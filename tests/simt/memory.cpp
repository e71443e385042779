#include "tests/simt/memory.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "kernels/error.h"
#include "tests/simt/machine.h"

namespace simt {

Region shared_memory;
Region device_memory;

namespace {

constexpr std::size_t zone = 256;  // forbidden bytes behind a piece
constexpr std::size_t static_room = 48 * 1024;

struct Piece {
  std::byte* data;
  std::size_t bytes;
  const void* key;
  std::string_view name;
};

std::vector<Piece> shared_pieces;
std::size_t shared_used = zone;
std::size_t dynamic_wanted = 0;
std::vector<Piece> buffers;  // by address
std::size_t device_used = zone;

void make(Region& region, std::size_t bytes) {
  const auto map = [](std::size_t size) {
    void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw Error("no memory for the host runtime");
    return memory;
  };
  region.data = static_cast<std::byte*>(map(bytes));
  region.bytes = bytes;
  if (SIMT_ASAN == 0) region.cells = static_cast<Cell*>(map(bytes / cell_bytes * sizeof(Cell)));
#if SIMT_ASAN
  __asan_poison_memory_region(region.data, bytes);
#endif
}

void permit(const Region& region, const Piece& piece) {
#if SIMT_ASAN
  __asan_unpoison_memory_region(piece.data, piece.bytes);
#else
  Cell* cell = region.cells + static_cast<std::size_t>(piece.data - region.data) / cell_bytes;
  for (std::size_t left = piece.bytes; left > 0; ++cell) {
    const std::size_t valid = std::min(left, cell_bytes);
    *cell = {};
    cell->valid = static_cast<std::uint8_t>(valid);
    left -= valid;
  }
#endif
  std::memset(piece.data, 0xFF, piece.bytes);
  (void)region;
}

void forbid(const Region& region, const Piece& piece) {
#if SIMT_ASAN
  __asan_poison_memory_region(piece.data, piece.bytes);
#else
  Cell* cell = region.cells + static_cast<std::size_t>(piece.data - region.data) / cell_bytes;
  for (std::size_t i = 0; i < (piece.bytes + cell_bytes - 1) / cell_bytes; ++i) cell[i].valid = 0;
#endif
  (void)region;
}

std::size_t rounded(std::size_t bytes, std::size_t to) { return (bytes + to - 1) / to * to; }

void* take_shared(const void* key, std::string_view name, std::size_t bytes, std::size_t align) {
  for (const Piece& piece : shared_pieces)
    if (piece.key == key) return piece.data;
  shared_used = rounded(shared_used, std::max<std::size_t>(align, 16));
  const Piece piece{shared_memory.data + shared_used, bytes, key, name};
  shared_used += bytes + zone;
  if (shared_used > shared_memory.bytes) violation("more shared memory than a block has");
  shared_pieces.push_back(piece);
  permit(shared_memory, piece);
  return piece.data;
}

}  // namespace

void begin_block_memory(std::size_t dynamic_bytes) {
  if (!shared_memory.data) make(shared_memory, 512 * 1024);
  dynamic_wanted = dynamic_bytes;
}

void end_block_memory() {
  for (const Piece& piece : shared_pieces) forbid(shared_memory, piece);
  shared_pieces.clear();
  shared_used = zone;
}

namespace {

bool host_keeps_out = false;

void protect(int access) {
  if (device_memory.data) mprotect(device_memory.data, device_memory.bytes, access);
}

#if !SIMT_ASAN
void explain(int, siginfo_t* info, void*) {
  constexpr std::string_view line = "the host touches device memory outside of a kernel\n";
  if (device_memory.has(info->si_addr) && write(STDERR_FILENO, line.data(), line.size()) < 0)
    return;
  signal(SIGSEGV, SIG_DFL);
}
#endif

}  // namespace

HostKeepsOut::HostKeepsOut() {
#if !SIMT_ASAN  // which explains by itself
  struct sigaction action {};
  action.sa_sigaction = explain;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGSEGV, &action, nullptr);
#endif
  host_keeps_out = true;
  protect(PROT_NONE);
}

HostKeepsOut::~HostKeepsOut() {
  host_keeps_out = false;
  protect(PROT_READ | PROT_WRITE);
}

void let_kernel_in() {
  if (host_keeps_out) protect(PROT_READ | PROT_WRITE);
}

void let_kernel_out() {
  if (host_keeps_out) protect(PROT_NONE);
}

void* static_shared(const void* key, std::string_view name, std::size_t bytes, std::size_t align) {
  if (bytes > static_room) violation("static shared memory of more than 48 KiB");
  return take_shared(key, name, bytes, align);
}

void* dynamic_shared(std::size_t bytes) {
  if (bytes > dynamic_wanted)
    violation(framefold::text("asks for ", bytes, " bytes of dynamic shared memory, launched with ",
                              dynamic_wanted));
  return take_shared(&dynamic_wanted, "dynamic shared memory", dynamic_wanted, 16);
}

void* allocate(std::size_t bytes) {
  if (!device_memory.data) make(device_memory, std::size_t{512} * 1024 * 1024);
  const Piece piece{device_memory.data + device_used, bytes, nullptr, "a buffer"};
  device_used = rounded(device_used + bytes + zone, zone);
  if (device_used > device_memory.bytes) throw Error("the host runtime's device memory is full");
  buffers.push_back(piece);
  let_kernel_in();
  permit(device_memory, piece);
  let_kernel_out();
  return piece.data;
}

void release(void* data) {
  const auto at = std::find_if(buffers.begin(), buffers.end(),
                               [=](const Piece& piece) { return piece.data == data; });
  if (at == buffers.end()) return;
  forbid(device_memory, *at);
  buffers.erase(at);
  const auto end = [](const Piece& piece) {
    return static_cast<std::size_t>(piece.data - device_memory.data) + piece.bytes;
  };
  device_used = buffers.empty() ? zone : rounded(end(buffers.back()) + zone, zone);
}

void expect_buffer(const void* p, std::size_t bytes) {
  const auto* address = static_cast<const std::byte*>(p);
  for (const Piece& piece : buffers)
    if (piece.data <= address && address + bytes <= piece.data + piece.bytes) return;
  throw Error(framefold::text("a copy of ", bytes, " bytes outside ", name_of_address(p)));
}

std::string name_of_address(const void* p) {
  const auto* address = static_cast<const std::byte*>(p);
  const Piece* found = nullptr;
  for (const auto* pieces : {&shared_pieces, &buffers})
    for (const Piece& piece : *pieces)
      if (piece.data <= address && (!found || piece.data > found->data)) found = &piece;
  if (!found) return "no piece";
  const std::string size =
      device_memory.has(p) ? framefold::text(" of ", found->bytes, " bytes") : "";
  return framefold::text(found->name, size, " + ", address - found->data);
}

}  // namespace simt

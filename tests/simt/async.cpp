// Asynchronous copies and the mbarriers that they arrive at. Until it is waited for, a copy's
// destination belongs to nobody: it holds either 0xFF or, where the schedule draws so, what has
// already landed; bulk copies land at switches of threads, at the latest when all threads wait.
#include <cstring>
#include <map>

#include "kernels/error.h"
#include "tests/simt/machine.h"
#include "tests/simt/memory.h"

namespace simt {

using framefold::text;

namespace {

class Copy {
 public:
  Copy(void* to, const void* from, std::size_t size, std::size_t valid)
      : to_(static_cast<std::byte*>(to)),
        from_(static_cast<const std::byte*>(from)),
        size_(size),
        valid_(valid) {
    if (valid > few_.size()) many_.resize(valid);
    if (valid > 0) std::memcpy(bytes(), from, valid);
    set_in_flight(to, size);
    std::memset(to, 0xFF, size);
  }

  void land() {
    if (landed_) return;
    landed_ = true;
    if (valid_ > 0 && std::memcmp(bytes(), from_, valid_) != 0)
      violation(text("a copy's source changed on its way: ", name_of_address(from_)));
    if (valid_ > 0) std::memcpy(to_, bytes(), valid_);
    std::memset(to_ + valid_, 0, size_ - valid_);
  }
  std::byte* to() const { return to_; }
  std::size_t size() const { return size_; }

 private:
  std::byte* bytes() { return many_.empty() ? few_.data() : many_.data(); }

  std::byte* to_;
  const std::byte* from_;
  std::size_t size_, valid_;  // behind the valid bytes come zeros
  std::array<std::byte, 16> few_;
  std::vector<std::byte> many_;  // what the source held at the begin
  bool landed_ = false;
};

struct CopiesOfThread {
  std::vector<Copy> copies;
  std::vector<std::size_t> groups;  // the copies' count at every commit
  std::size_t awaited = 0;          // groups

  void clear() {
    copies.clear();
    groups.clear();
    awaited = 0;
  }
};

// The 64 bits in shared memory hold an mbarrier's whole state.
struct State {
  std::uint64_t parity : 1;  // of the phase that runs
  std::uint64_t pending : 20;
  std::uint64_t arrivals : 20;
  std::uint64_t bytes : 21;  // expected and not arrived, with a sign
  std::uint64_t mark : 2;    // 0: not made
};
static_assert(sizeof(State) == 8);
constexpr int bytes_sign = 1 << 20;
int bytes_of(const State& state) {
  return (static_cast<int>(state.bytes) ^ bytes_sign) - bytes_sign;
}
void add_bytes(State& state, std::uint64_t bytes) {
  state.bytes = (state.bytes + bytes) & 0x1fffff;
}
constexpr unsigned most_arrivals = (1 << 20) - 1;

struct Mbarrier {
  State last{};  // what the word must still hold
  int agent = 0;
  int maker = 0;
  std::uint32_t made = 0;  // epoch
  bool published = false;
  std::uint32_t phases = 0;      // that are over
  Progress arrived;              // before the running phase's end
  Progress over;                 // before the last one's
  std::vector<Copy> of_phase;    // landed in the running phase
  std::vector<Copy> waited_for;  // landed in the last one, before anybody waited
};

struct BulkCopy {
  Copy copy;
  std::uint64_t* barrier;
};

std::array<CopiesOfThread, most_threads> of_threads;
std::map<std::uint64_t*, Mbarrier> mbarriers;
std::vector<BulkCopy> on_their_way;

CopiesOfThread& own_copies() { return of_threads[static_cast<std::size_t>(current_thread)]; }

void expect_shared(std::string_view operation, const void* p, std::size_t bytes) {
  if (!shared_memory.has(p))
    violation(text(operation, ": ", name_of_address(p), " is not in shared memory"));
  if (reinterpret_cast<std::uintptr_t>(p) % bytes != 0)
    violation(text(operation, ": ", name_of_address(p), " is no multiple of ", bytes));
}

void expect_global(std::string_view operation, const void* p, std::size_t bytes) {
  if (!device_memory.has(p)) violation(text(operation, ": its source is not in global memory"));
  if (reinterpret_cast<std::uintptr_t>(p) % bytes != 0)
    violation(text(operation, ": its source ", name_of_address(p), " is no multiple of ", bytes));
}

Mbarrier& find(std::string_view operation, std::uint64_t* barrier) {
  expect_shared(operation, barrier, sizeof(State));
  const auto found = mbarriers.find(barrier);
  if (found == mbarriers.end())
    violation(text(operation, ": no mbarrier was made at ", name_of_address(barrier)));
  Mbarrier& one = found->second;
  if (std::memcmp(barrier, &one.last, sizeof(State)) != 0)
    violation(text(operation, ": the mbarrier ", name_of_address(barrier), " was overwritten"));
  if (one.made == current_clock.epoch && one.maker != current_thread)
    violation(text(operation, ": no __syncthreads since the mbarrier ", name_of_address(barrier),
                   " was made"));
  return one;
}

void keep(std::uint64_t* barrier, Mbarrier& one, State state) {
  if (state.pending == 0 && state.bytes == 0) {
    state.parity ^= 1U;
    state.pending = state.arrivals;
    ++one.phases;
    one.over = one.arrived;
    one.over.resize(std::max(one.over.size(), static_cast<std::size_t>(one.agent) + 1));
    one.over[static_cast<std::size_t>(one.agent)] = one.phases;
    for (Copy& copy : one.of_phase) one.waited_for.push_back(std::move(copy));
    one.of_phase.clear();
    for (int thread = 0; thread < threads_of_block(); ++thread)
      if (waits_for(thread, barrier)) make_ready(thread);
  }
  one.last = state;
  std::memcpy(barrier, &state, sizeof(State));
}

void land(std::size_t which) {
  BulkCopy bulk = std::move(on_their_way[which]);
  on_their_way.erase(on_their_way.begin() + static_cast<std::ptrdiff_t>(which));
  bulk.copy.land();
  Mbarrier& one = mbarriers.at(bulk.barrier);
  State state = one.last;
  add_bytes(state, -static_cast<std::uint64_t>(bulk.copy.size()));
  one.of_phase.push_back(std::move(bulk.copy));
  keep(bulk.barrier, one, state);
}

}  // namespace

void begin_block_copies() {
  for (CopiesOfThread& one : of_threads) one.clear();
  mbarriers.clear();
  on_their_way.clear();
}

void leave_with_copies() {
  if (!own_copies().copies.empty()) violation("a thread leaves with its cp.async on their way");
}

void end_block_copies() {
  if (!on_their_way.empty()) violation("the block ends with a cp.async.bulk on its way");
  for (const auto& [word, one] : mbarriers)
    if (!one.of_phase.empty() || !one.waited_for.empty())
      violation(text("the block ends, and nobody waited for the copies of the mbarrier ",
                     name_of_address(word)));
}

bool land_a_copy(bool must) {
  if (on_their_way.empty() || !(must || draw(4))) return false;
  std::size_t which = 0;
  while (which + 1 < on_their_way.size() && draw(2)) ++which;
  land(which);
  return true;
}

std::string where_mbarriers_stand() {
  std::string line;
  for (const auto& [word, one] : mbarriers)
    if (one.last.pending != one.last.arrivals || one.last.bytes != 0)
      line += text("; the mbarrier ", name_of_address(word), " lacks ", one.last.pending, " of ",
                   one.last.arrivals, " arrivals and ", bytes_of(one.last), " bytes");
  return line;
}

void copy_async(void* to, const void* from, unsigned bytes, unsigned valid) {
  expect_shared("cp.async", to, bytes);
  if (valid > 0) expect_global("cp.async", from, bytes);
  note_access(from, valid, false);
  note_access(to, bytes, true);
  std::vector<Copy>& copies = own_copies().copies;
  copies.emplace_back(to, from, bytes, valid);
  if (draw(2)) copies.back().land();
}

void commit_copies() {
  CopiesOfThread& own = own_copies();
  own.groups.push_back(own.copies.size());
}

void wait_copies(int left) {
  CopiesOfThread& own = own_copies();
  for (; own.groups.size() - own.awaited > static_cast<std::size_t>(left); ++own.awaited)
    for (std::size_t i = own.awaited == 0 ? 0 : own.groups[own.awaited - 1];
         i < own.groups[own.awaited]; ++i) {
      Copy& copy = own.copies[i];
      copy.land();
      note_awaited(copy.to(), copy.size());
    }
  if (!own.groups.empty() && own.awaited == own.groups.size() &&
      own.groups.back() == own.copies.size())
    own.clear();
}

void mbarrier_init(std::uint64_t* barrier, unsigned arrivals) {
  expect_shared("mbarrier.init", barrier, sizeof(State));
  if (arrivals == 0 || arrivals > most_arrivals)
    violation(text("mbarrier.init: of ", arrivals, " arrivals"));
  if (mbarriers.contains(barrier))
    violation(text("mbarrier.init: ", name_of_address(barrier), " is one already"));
  order_by_progress();
  Mbarrier& one = mbarriers[barrier];
  one.agent = threads_of_block() + static_cast<int>(mbarriers.size()) - 1;
  one.maker = current_thread;
  one.made = current_clock.epoch;
  State state{};
  state.pending = arrivals & most_arrivals;
  state.arrivals = arrivals & most_arrivals;
  state.mark = 1;
  keep(barrier, one, state);
}

void mbarrier_init_fence() {
  for (auto& [word, one] : mbarriers) one.published |= one.maker == current_thread;
}

void proxy_fence() {
  mbarrier_init_fence();
  join_fence();
}

void mbarrier_arrive(std::uint64_t* barrier, unsigned expected_bytes) {
  const std::string_view operation =
      expected_bytes > 0 ? "mbarrier.arrive.expect_tx" : "mbarrier.arrive";
  if (expected_bytes > most_arrivals)
    violation(text(operation, ": ", expected_bytes, " bytes are more than an mbarrier counts"));
  Mbarrier& one = find(operation, barrier);
  State state = one.last;
  if (state.pending == 0)
    violation(text(operation, ": more arrivals at ", name_of_address(barrier), " than its ",
                   state.arrivals));
  release(one.arrived);
  add_bytes(state, expected_bytes);
  --state.pending;
  keep(barrier, one, state);
}

void mbarrier_wait(std::uint64_t* barrier, unsigned parity) {
  constexpr std::string_view operation = "mbarrier.try_wait";
  if (parity > 1) violation(text(operation, ": for a parity of ", parity));
  Mbarrier* one = &find(operation, barrier);
  while (one->last.parity == parity) {
    wait_for(barrier, operation);
    one = &find(operation, barrier);
  }
  acquire(one->over);
  for (const Copy& copy : one->waited_for) {
    note_copied(copy.to(), copy.size(), one->agent, one->phases);
  }
  one->waited_for.clear();
}

void copy_bulk(void* to, const void* from, unsigned bytes, std::uint64_t* barrier) {
  constexpr std::string_view operation = "cp.async.bulk";
  if (bytes == 0 || bytes % 16 != 0)
    violation(text(operation, ": ", bytes, " bytes are no multiple of 16"));
  expect_shared(operation, to, 16);
  expect_global(operation, from, 16);
  const Mbarrier& one = find(operation, barrier);
  if (!one.published)
    violation(
        text(operation, ": no fence since the mbarrier ", name_of_address(barrier), " was made"));
  expect_fenced(to, bytes);
  note_access(from, bytes, false);
  note_access(to, bytes, true);
  on_their_way.push_back({Copy(to, from, bytes, bytes), barrier});
}

}  // namespace simt

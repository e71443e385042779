#include "bench/rate.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

#include "kernels/simd.h"

namespace framefold::bench {
namespace {

constexpr int bursts = 4, repeats = 1'400'000, chains = 12;
constexpr double operations = 2.0 * 16 * chains * repeats;  // of a thread in a burst, its floats 16

thread_local volatile float half = 0.5F;  // read and written between the clocks: so is the work

// Chains that do not wait for one another, all in registers; `Vector` is one of the processor's.
template <class Vector>
FRAMEFOLD_INLINE void multiply_add() {
  Vector sums[chains];
  for (int i = 0; i < chains; ++i) sums[i] = Vector{} + static_cast<float>(i);
  const Vector factor = Vector{} + half;
  for (int i = 0; i < repeats * static_cast<int>(64 / sizeof(Vector)); ++i)
#pragma GCC unroll 12
    for (Vector& sum : sums) sum = sum * factor + factor;
  Vector total = {};
  for (const Vector& sum : sums) total += sum;
  half = total[0] > 0 ? 0.5F : 0.25F;
}

using Narrow = float __attribute__((vector_size(16)));
#if defined(__x86_64__) && defined(__GNUC__)
using Wide = float __attribute__((vector_size(32)));
using Widest = float __attribute__((vector_size(64)));
__attribute__((target("avx512f"))) void by_avx512() { multiply_add<Widest>(); }
__attribute__((target("avx2,fma"))) void by_avx2() { multiply_add<Wide>(); }
#endif

void burst_of_work() {
#if defined(__x86_64__) && defined(__GNUC__)
  if (__builtin_cpu_supports("avx512f")) return by_avx512();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return by_avx2();
#endif
  multiply_add<Narrow>();
}

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::vector<int> processors() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  sched_getaffinity(0, sizeof allowed, &allowed);
  std::vector<int> found;
  for (int i = 0; i < CPU_SETSIZE; ++i)
    if (CPU_ISSET(i, &allowed)) found.push_back(i);
  return found;
}

}  // namespace

Repetitions::Repetitions(double (*probe)()) : probe_(probe), before_(probe()), begun_(now()) {}

void Repetitions::add(double seconds) {
  seconds_.push_back(seconds);
  if (now() - begun_ > 0.2) close();
}

void Repetitions::close() {
  const double after = probe_();
  parts_.push_back({seconds_.size(), std::min(before_, after)});
  before_ = after;
  begun_ = now();
}

Repetitions::Kept Repetitions::kept() {
  if (parts_.empty() || parts_.back().end < seconds_.size()) close();
  double best = 0;
  for (const Part& part : parts_) best = std::max(best, part.rate);
  Kept kept{{}, best};
  std::size_t begin = 0;
  for (const Part& part : parts_) {
    if (part.rate >= 0.85 * best) {
      kept.seconds.insert(kept.seconds.end(), seconds_.begin() + static_cast<std::ptrdiff_t>(begin),
                          seconds_.begin() + static_cast<std::ptrdiff_t>(part.end));
      kept.rate = std::min(kept.rate, part.rate);
    }
    begin = part.end;
  }
  return kept;
}

}  // namespace framefold::bench

double framefold_rate() {
  using namespace framefold::bench;
  const std::vector<int> where = processors();
  struct Span {
    double begin = 0, end = 0;
  };
  std::vector<Span> spans(where.size() * bursts);
  std::atomic<std::size_t> arrived = 0;
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < where.size(); ++t)
    threads.emplace_back([&, t] {
      cpu_set_t own;
      CPU_ZERO(&own);
      CPU_SET(where[t], &own);
      sched_setaffinity(0, sizeof own, &own);
      for (std::size_t burst = 0; burst < bursts; ++burst) {
        ++arrived;
        while (arrived < where.size() * (burst + 1)) std::this_thread::yield();
        Span& span = spans[burst * where.size() + t];
        span.begin = now();
        burst_of_work();
        span.end = now();
      }
    });
  for (std::thread& thread : threads) thread.join();
  double least = 1e9;
  for (auto first = spans.begin(); first != spans.end();) {
    const auto last = first + static_cast<std::ptrdiff_t>(where.size());
    const auto begin =
        std::min_element(first, last, [](auto& a, auto& b) { return a.begin < b.begin; });
    const auto end = std::max_element(first, last, [](auto& a, auto& b) { return a.end < b.end; });
    least = std::min(least, end->end - begin->begin);
    first = last;
  }
  return 1e-9 * operations * static_cast<double>(where.size()) / least;
}

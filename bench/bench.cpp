#include "bench/bench.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <iostream>
#include <thread>
#include <vector>

#include "bench/rate.h"
#include "kernels/microkernel.h"
#include "kernels/stream.h"

namespace framefold::bench {
namespace {

using Clock = std::chrono::steady_clock;
const Clock::time_point process_begun = Clock::now();

struct Row {
  std::string name;
  std::function<void(benchmark::State&)> run;
};
std::deque<Row>& rows() {
  static std::deque<Row> all;
  return all;
}

double seconds_since(Clock::time_point begun) {
  return std::chrono::duration<double>(Clock::now() - begun).count();
}

double least_seconds(const std::function<void()>& work) {
  double best = 1e9;
  for (int i = 0; i < 5; ++i) {
    const auto begun = Clock::now();
    work();
    best = std::min(best, seconds_since(begun));
  }
  return best;
}

double peak_flops(int threads) {
  constexpr Index depth = 128, repeats = 4000;
  const MicroKernel& kernel = micro_kernel();
  const Stream stream{.device = {}, .threads = threads};
  const double seconds = least_seconds([&] {
    parallel_for(stream, threads, 1, [&](Index, Index) {
      std::vector<float> a(static_cast<std::size_t>(kernel.rows * depth), 1.0F);
      std::vector<float> b(static_cast<std::size_t>(kernel.cols * depth), 1.0F);
      std::vector<float> c(static_cast<std::size_t>(kernel.rows * kernel.cols));
      std::vector<const float*> rows;
      for (Index i = 0; i < kernel.rows; ++i) rows.push_back(a.data() + i * depth);
      const float* panel = b.data();
      for (Index i = 0; i < repeats; ++i)
        kernel.run(kernel.rows, kernel.cols,
                   {.a = rows.data(),
                    .b = &panel,
                    .depth = depth,
                    .b_step = kernel.cols,
                    .c = c.data(),
                    .ldc = kernel.cols});
      benchmark::DoNotOptimize(c.data());
    });
  });
  return 2.0 * threads * static_cast<double>(kernel.rows * kernel.cols * depth * repeats) / seconds;
}

double copied_bytes(int threads) {
  constexpr std::size_t bytes = std::size_t{64} << 20;
  const Stream stream{.device = {}, .threads = threads};
  std::vector<char> from(bytes, 1), to(bytes, 2);
  const double seconds = least_seconds([&] {
    parallel_for(stream, static_cast<Index>(bytes), 1, [&](Index begin, Index end) {
      std::memcpy(to.data() + begin, from.data() + begin, static_cast<std::size_t>(end - begin));
    });
  });
  return 2.0 * static_cast<double>(bytes) / seconds;
}

void overwrite_caches() {
  static std::vector<char> memory(std::size_t{96} << 20);
  static char value = 0;
  std::memset(memory.data(), ++value, memory.size());
  benchmark::ClobberMemory();
}

Timing timing_of(std::vector<double> samples) {
  std::sort(samples.begin(), samples.end());
  const auto at = [&](double share) {
    return samples[static_cast<std::size_t>(share * static_cast<double>(samples.size() - 1) + 0.5)];
  };
  return {at(0.5), (at(0.75) - at(0.25)) / at(0.5), static_cast<int>(samples.size())};
}

}  // namespace

int threads() {
  static const int count = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  return count;
}

Roof measure_roof(int threads) { return {peak_flops(threads), copied_bytes(threads)}; }

const Roof& roof() {
  if (options().gpu) return options().gpu->roof();
  static const Roof measured = measure_roof(threads());
  return measured;
}

double Cost::floor(const Roof& roof) const {
  return std::max(flops / roof.flops, bytes / roof.bytes);
}

Options& options() {
  static Options chosen;
  return chosen;
}

Timing time(const std::function<double()>& work) {
  const auto seconds_of = [&] {
    if (options().cold && !options().gpu) overwrite_caches();
    const auto begun = Clock::now();
    const double own = work();
    return own < 0 ? seconds_since(begun) : own;
  };
  const auto begun = Clock::now();
  for (int i = 0; i < 2 || (i < 100 && seconds_since(begun) < 0.1 * options().seconds); ++i)
    seconds_of();  // to warm up

  constexpr std::size_t least = 9;
  Repetitions repetitions(options().gpu ? +[] { return 0.0; } : framefold_rate);
  const std::vector<double>& samples = repetitions.all();
  const auto started = Clock::now();
  for (std::size_t enough = least;; enough = samples.size() * 3 / 2) {
    while (samples.size() < enough &&
           (samples.size() < least || seconds_since(started) < options().seconds))
      repetitions.add(seconds_of());
    // Of a normal distribution the median's error is 1.253 sigma / sqrt(n), the quartiles 1.349
    // sigma apart.
    const double error =
        0.929 * timing_of(samples).spread / std::sqrt(static_cast<double>(samples.size()));
    if (error < options().certain || seconds_since(started) >= options().seconds) break;
  }
  const auto [seconds, rate] = repetitions.kept();
  Timing timing = timing_of(seconds);
  timing.rate = rate;
  return timing;
}

void report(benchmark::State& state, const Cost& cost, const Timing& timing) {
  for (auto _ : state) state.SetIterationTime(timing.median);
  state.counters["spread"] = timing.spread;
  state.counters["calls"] = timing.calls;
  if (timing.rate > 0) state.counters["rate"] = timing.rate;
  if (cost.flops > 0) state.counters["flop/s"] = cost.flops / timing.median;
  if (cost.bytes > 0) state.counters["bytes/s"] = cost.bytes / timing.median;
  if (cost.flops > 0 && cost.bytes > 0) state.counters["flop/byte"] = cost.flops / cost.bytes;
  if (cost.flops + cost.bytes > 0) state.counters["of_roof"] = cost.floor(roof()) / timing.median;
}

void run_launches(benchmark::State& state, const Cost& cost, const std::function<void()>& work) {
  Gpu* gpu = options().gpu;
  if (!gpu) return run(state, cost, work);
  report(state, cost, time([&] { return gpu->seconds_of(work, options().cold); }));
}

void run(benchmark::State& state, const Cost& cost, const std::function<void()>& work) {
  if (options().gpu) return state.SkipWithError("this row is the processor's");
  report(state, cost, time([&] {
           work();
           benchmark::ClobberMemory();
           return -1.0;
         }));
}

void add(const std::string& name, std::function<void(benchmark::State&)> row) {
  rows().push_back({name, std::move(row)});
}

std::vector<std::string> row_names() {
  std::vector<std::string> names;
  for (const Row& row : rows()) names.push_back(row.name);
  return names;
}

void forget_rows() { rows().clear(); }

void register_rows(const std::vector<std::string>& names) {
  for (const Row& row : rows()) {
    if (std::find(names.begin(), names.end(), row.name) == names.end()) continue;
    benchmark::RegisterBenchmark(
        row.name.c_str(),
        [&name = row.name, &run = row.run](benchmark::State& state) {
          if (seconds_since(process_begun) > options().most)
            return state.SkipWithError("not run: the time of --most is up");
          try {
            run(state);
          } catch (const std::exception& error) {
            state.SkipWithError(error.what());
          }
        })
        ->Iterations(1)
        ->UseManualTime()
        ->Unit(benchmark::kMicrosecond);
  }
}

}  // namespace framefold::bench

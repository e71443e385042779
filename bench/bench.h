// What the benchmarks share: the machine's roof, measured in the same run, and how a row is timed.
#pragma once

#include <benchmark/benchmark.h>

#include <functional>
#include <string>
#include <vector>

namespace framefold::bench {

int threads();  // all of the machine's

// What all threads together reach: full register tiles on operands in the first-level cache, and a
// copy of 64 MiB (bytes read and written).
struct Roof {
  double flops = 0;  // a second
  double bytes = 0;
};
Roof measure_roof(int threads);
const Roof& roof();  // measured by the first call; the GPU's where one is chosen

// What one call must do at least: it can't end before flops / roof.flops or bytes / roof.bytes.
struct Cost {
  double flops = 0;
  double bytes = 0;
  double floor(const Roof& roof) const;  // seconds
};

// A device whose rows are timed in the processor's place.
class Gpu {
 public:
  virtual ~Gpu() = default;
  virtual void* allocate(std::size_t bytes) = 0;
  virtual void release(void* data) = 0;
  virtual void upload(void* to, const void* from, std::size_t bytes) = 0;
  virtual void download(void* to, const void* from, std::size_t bytes) = 0;
  // Between events before and behind what `work` launches, all of it launched before the first
  // begins; cold: its second-level cache overwritten.
  virtual double seconds_of(const std::function<void()>& work, bool cold) = 0;
  virtual const Roof& roof() const = 0;
  virtual std::string fault() = 0;  // after which nothing more can run there; empty: none
};

struct Options {
  Gpu* gpu = nullptr;
  bool cold = false;      // the caches are overwritten before every call that is timed
  double seconds = 0.5;   // most for one row; it ends before where the median is certain
  double certain = 0.01;  // the median's standard error, as a share of it
  double most = 1e9;      // of the process; rows that would begin later say so instead
};
Options& options();

struct Timing {
  double median = 0;  // seconds
  double spread = 0;  // between the quartiles, as a share of the median
  int calls = 0;
  double rate = 0;  // the processor's beside them (rate.h); 0 on a GPU
};
// `work` returns the seconds that count, or a negative number: the whole call does.
Timing time(const std::function<double()>& work);

// Times `work` and gives the row its figures; run_launches() by the device's events, where one is
// chosen.
void run_launches(benchmark::State& state, const Cost& cost, const std::function<void()>& work);
void run(benchmark::State& state, const Cost& cost, const std::function<void()>& work);
void report(benchmark::State& state, const Cost& cost, const Timing& timing);

// A row that calls run() or report() once.
void add(const std::string& name, std::function<void(benchmark::State&)> row);
std::vector<std::string> row_names();
void forget_rows();
void register_rows(const std::vector<std::string>& names);  // with Google Benchmark

}  // namespace framefold::bench

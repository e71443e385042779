// What the benchmarks share: the machine's roof, measured in the same run, and how a row is timed.
#pragma once

#include <benchmark/benchmark.h>

#include <functional>
#include <string>

namespace framefold::bench {

int threads();  // all of the machine's

// What all threads together reach: full register tiles on operands in the first-level cache, and a
// copy of 64 MiB (bytes read and written).
struct Roof {
  double flops = 0;  // a second
  double bytes = 0;
};
Roof measure_roof(int threads);
const Roof& roof();  // measured by the first call

// What one call must do at least: it can't end before flops / roof.flops or bytes / roof.bytes.
struct Cost {
  double flops = 0;
  double bytes = 0;
  double floor(const Roof& roof) const;  // seconds
};

struct Options {
  bool cold = false;      // the caches are overwritten before every call that is timed
  double seconds = 0.5;   // most for one row; it ends before where the median is certain
  double certain = 0.01;  // the median's standard error, as a share of it
};
Options& options();

struct Timing {
  double median = 0;  // seconds
  double spread = 0;  // between the quartiles, as a share of the median
  int calls = 0;
};
// `work` returns the seconds that count, or a negative number: the whole call does.
Timing time(const std::function<double()>& work);

// Times `work` and gives the row its figures.
void run(benchmark::State& state, const Cost& cost, const std::function<void()>& work);
void report(benchmark::State& state, const Cost& cost, const Timing& timing);

// A row that calls run() or report() once.
void add(const std::string& name, std::function<void(benchmark::State&)> row);

}  // namespace framefold::bench

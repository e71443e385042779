// The machine's rate of arithmetic beside every time that is taken: a virtual machine at times
// gives two of its cores one physical core, and whatever runs then takes twice as long.
// framefold-bench, onednn_rows and, through rate.py, torch_rows probe alike, so their rates can be
// compared.
#pragma once

#include <cstddef>
#include <vector>

// Multiply-adds a second times two, in units of 1e9, of a thread pinned to each of this process's
// processors: the best of four bursts of 5 ms, since another's threads may still spin when the
// first begins; shorter ones would pass between the turns of another process.
extern "C" double framefold_rate();

namespace framefold::bench {

// Times of repeated calls between probes of the rate: before the first, after the last, and
// whenever a fifth of a second has passed. rate.py has the same for PyTorch.
class Repetitions {
 public:
  explicit Repetitions(double (*probe)() = framefold_rate);
  void add(double seconds);
  const std::vector<double>& all() const { return seconds_; }
  struct Kept {
    std::vector<double> seconds;
    double rate = 0;  // the least of the probes beside them
  };
  // Those with probes of at least 0.85 of the best one on either side. Probes once more.
  Kept kept();

 private:
  struct Part {
    std::size_t end = 0;  // of its calls in seconds_
    double rate = 0;
  };
  void close();

  double (*probe_)();
  double before_;
  double begun_;
  std::vector<double> seconds_;
  std::vector<Part> parts_;
};

}  // namespace framefold::bench

// Runs a plan: one arena, taken once; nothing is allocated after construction.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/memory.h"
#include "engine/parameters.h"
#include "engine/plan.h"
#include "kernels/buffer.h"

namespace framefold {

// Where the first number that is neither finite nor expected appeared.
struct Fault {
  std::string step;    // "decoder.2/conv3d, forward"
  std::string output;  // "output 0 [4, 16, 64, 64, 3]: 12 NaN and ..."
  std::vector<std::string> inputs;
};

// Time by step, summed over runs.
struct StepTime {
  const Step* step = nullptr;
  double seconds = 0;
  int runs = 0;
};

class Executor {
 public:
  // `parameters` outlives the executor and holds every parameter and buffer of the plan's graph.
  Executor(std::shared_ptr<const Plan> plan, Parameters& parameters);

  Tensor input(const std::string& name) const;  // to be written before a run
  View value(Value value) const;                // the loss or a fetched value, after a run
  float loss() const;

  // One forward and, where the plan has a loss and `backward` is true, one backward, which adds
  // `scale` times the gradient to the parameters' gradients. Random operations draw from
  // (seed, step).
  struct Counter {
    std::uint64_t seed = 0;
    std::uint64_t step = 0;
  };
  void run(Counter counter, bool backward = true, float scale = 1);

  // Runs again with a look at every output; the first that is not finite, if any.
  std::optional<Fault> find_fault(Counter counter, bool backward = true);

  void profile(bool on);
  const std::vector<StepTime>& times() const { return times_; }

  const Plan& plan() const { return *plan_; }
  Bytes arena_bytes() const { return arena_.bytes(); }

 private:
  struct Bound {  // a step's tensors
    std::vector<Tensor> in, out, saved, dout, din;
    Workspace workspace;
  };
  Tensor bind(const Slot& slot) const;
  void execute(std::size_t index, Counter counter, float scale);
  void begin_watch();
  void write_guard(const Region& region);
  void watch_before(std::size_t index);
  void watch_after(std::size_t index);

  std::shared_ptr<const Plan> plan_;
  Parameters& parameters_;
  Stream stream_;
  Buffer arena_;
  std::vector<Bound> bound_;
  std::size_t forward_steps_ = 0;
  std::vector<StepTime> times_;
  bool profiling_ = false;
};

}  // namespace framefold

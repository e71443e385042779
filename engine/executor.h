// Runs a plan: one arena, taken once; nothing is allocated after construction.
//
// On a device the arena is there, inputs and results are copies on the host, and a run uploads the
// ones, downloads the others and waits; from its second time on it is a replay of recorded work.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/feed.h"
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
  // `parameters` outlives the executor, holds every parameter and buffer of the plan's graph and
  // lives on the plan's device.
  Executor(std::shared_ptr<const Plan> plan, Parameters& parameters);
  ~Executor();

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

  // The path of each step from now on, in place of the stream's; others than the stream's need a
  // plan with both_paths.
  void take(std::vector<Path> paths);

  // Times by step; on a device taken by events, and nothing is recorded for replays.
  void profile(bool on);
  bool profiles() const { return profiling_; }
  const std::vector<StepTime>& times() const { return times_; }
  UploadTimes upload_times() const;  // on a device

  // A run on a device in its parts, for training: the random numbers of a batch; its steps, which
  // enter the queue; the times of steps that are done.
  const Stream& stream() const { return stream_; }
  Feed& feed();
  void draw(Counter counter, std::span<Random> randoms) const;
  void enqueue(bool backward, float scale);
  void take_times();
  View live(Value value) const { return bind(plan_->slot(value)); }  // where kernels find it

  const Plan& plan() const { return *plan_; }
  Bytes arena_bytes() const { return arena_.bytes(); }

 private:
  struct Bound {  // a step's tensors
    std::vector<Tensor> in, out, saved, dout, din;
    Workspace workspace;
  };
  struct Remote;  // what a device asks for
  Tensor bind(const Slot& slot) const;
  void run_remote(Counter counter, bool backward, float scale);
  Tensor seen(Tensor tensor);
  void execute(std::size_t index, Counter counter, float scale);
  void begin_watch();
  void write_guard(const Region& region);
  void watch_before(std::size_t index);
  void watch_after(std::size_t index);

  std::shared_ptr<const Plan> plan_;
  Parameters& parameters_;
  Stream stream_;
  Buffer arena_;
  std::unique_ptr<Remote> remote_;
  std::vector<Bound> bound_;
  std::vector<Path> paths_;  // by step
  std::size_t forward_steps_ = 0;
  std::vector<StepTime> times_;
  bool profiling_ = false;
};

}  // namespace framefold

// The training loop.
//
// Step s (from 0) takes the batches s A ... s A + A - 1 (A: accumulated batches), averages their
// gradients, clips them and updates the weights at the schedule's learning rate. Everything is a
// function of (seed, step): a run that stopped at any step, in the middle of an epoch too,
// continues to the same weights, bit for bit. After the first step nothing is allocated but for
// evaluations and checkpoints.
//
// Numbers that are not finite: where the loss or the gradients' norm is NaN or infinite, the step
// is skipped (no update, buffers as before it) as long as `max_skipped` steps of the run have not
// been; then Error(numeric) names the first operation whose output is not finite, statistics of
// its inputs and the batch's samples. The weights are then those before the step.
//
// Samples that cannot be read end the run with their error; the steps before are saved. An
// evaluation that throws Error(interrupted) is left, and made up for when the run is resumed.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/batches.h"
#include "engine/checkpoint.h"
#include "engine/device_step.h"
#include "engine/executor.h"
#include "engine/optimizer.h"
#include "engine/schedule.h"

namespace framefold {

struct TrainOptions {
  std::uint64_t seed = 0;    // of dropout, noise and other random operations
  Index steps = 1000;        // the run's length
  double seconds = 0;        // stop before the run's end after this long, and save; 0: never
  Index accumulate = 1;      // batches a step
  Index evaluate_every = 0;  // steps; also after the last one; 0: never
  Index save_every = 0;      // steps; 0: at the end and where a metric is the best so far
  Index max_skipped = 0;     // steps of the run that numbers which are not finite may cost
  Schedule schedule;
  std::string config;  // the resolved configuration's text, kept in checkpoints
  bool replay = true;  // on a device: steps are recorded once and replayed
};

// One step, after it.
struct StepRecord {
  Index step = 0;  // from 0
  Index epoch = 0;
  Index samples = 0;
  double loss = 0;           // mean over the step's batches, before the update
  double rate = 0;           // the learning rate
  double gradient_norm = 0;  // before clipping
  bool skipped = false;      // no update
  Index skipped_steps = 0;   // of the run so far
  double data_seconds = 0;   // waiting for batches
  double compute_seconds = 0;
  double update_seconds = 0;

  double seconds() const { return data_seconds + compute_seconds + update_seconds; }
};

struct TrainHooks {
  std::function<void(const StepRecord&)> step;
  // Returns the metric, smaller is better. The weights' moving average, where one is kept, stands
  // in their place.
  std::function<double(Index step)> evaluate;
  std::function<void(const std::filesystem::path&)> saved;
  std::function<bool()> stop;  // asked after each step
};

enum class Ending : std::uint8_t { finished, out_of_time, interrupted };

class Trainer {
 public:
  // Everything outlives the trainer. Without checkpoints nothing is saved.
  Trainer(Executor& executor, Parameters& parameters, Optimizer& optimizer, BatchSource& source,
          const TrainOptions& options, Checkpoints* checkpoints = nullptr);

  // Continues where `counters`, as load_checkpoint returned them, say. The seed must be the same.
  void resume(const Counters& counters);

  // Runs to an end and saves there.
  Ending run(const TrainHooks& hooks);

  const Counters& counters() const { return counters_; }
  // On a device: why steps are launched kernel by kernel; empty where they are replayed.
  std::string refusal() const { return device_ ? device_->refusal() : std::string(); }

  // Bytes that a trainer of a graph holds beside parameters, optimiser and plan.
  static Bytes bytes_of(const Graph& graph);

 private:
  using Clock = std::chrono::steady_clock;

  std::optional<Ending> ending_now(const TrainHooks& hooks, Clock::time_point begun) const;
  bool due(Index every) const;
  StepRecord step();
  StepRecord step_or_save(const TrainHooks& hooks);
  void compute(StepRecord& record);
  Executor::Counter counter(Index i) const;
  void skip(const StepRecord& record);
  void restore_buffers();
  [[noreturn]] void fail_numeric(const StepRecord& record);
  void evaluate(const TrainHooks& hooks);
  void save(const TrainHooks& hooks);

  Executor& executor_;
  Parameters& parameters_;
  Optimizer& optimizer_;
  BatchSource& source_;
  TrainOptions options_;
  Checkpoints* checkpoints_;
  std::vector<Tensor> inputs_;
  Buffer shadow_;  // on the CPU: the buffers before the step
  std::unique_ptr<DeviceStep> device_;
  Counters counters_;
  Index saved_step_ = -1;
};

}  // namespace framefold

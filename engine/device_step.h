// A step of training on a device: forward, backward and update as recorded work that the host
// starts, while the next batch is read and uploaded. The host waits once a step, for its loss. What
// a step computes and skips is engine/train.h's.
#pragma once

#include <array>

#include "engine/batches.h"
#include "engine/optimizer.h"
#include "engine/replay.h"

namespace framefold {

struct StepRecord;

class DeviceStep {
 public:
  // Everything outlives it. Without `records` each step is launched kernel by kernel.
  DeviceStep(Executor& executor, Parameters& parameters, Optimizer& optimizer, BatchSource& source,
             std::uint64_t seed, Index accumulate, bool records);

  // Fills in what became of step `record.step` at rate `record.rate`. Reads no batch ahead where it
  // is the last one.
  void run(StepRecord& record, bool last);

  void forget_batches();        // read ahead: the source was set to another batch
  void restore_buffers();       // as they were before the last step
  std::string refusal() const;  // the first of what could not be recorded

 private:
  void fetch(Index batch);
  void begin();
  void add_batch();
  void finish();
  template <class Work>
  void enqueue(Replay& replay, const Work& work);

  Executor& executor_;
  Parameters& parameters_;
  Optimizer& optimizer_;
  BatchSource& source_;
  std::uint64_t seed_;
  Index accumulate_;
  Stream stream_;
  DeviceRuntime& runtime_;
  Buffer shadow_;   // the buffers before the step
  Buffer loss_;     // the sum over the step's batches
  Buffer results_;  // on the host: the optimiser's verdict, the loss
  Replay whole_;    // one batch a step
  Replay first_, next_,
      last_;  // several: the first with what comes before, the others, what follows
  std::array<BatchSource::Batch, Feed::slots> batches_;
  Index fetched_ = -1;  // the last batch that was read, -1: none
};

}  // namespace framefold

// Batches in order, read ahead by worker threads.
//
//   clips  [B, T, H, W, C]  u8 as read, or f32 in [0, 1]   what next() writes, whole
//
// Batch `step` holds positions (step mod E) * B onwards of epoch step / E, where E is the number
// of batches an epoch has. What stands at a position of an epoch, and the random numbers its
// sample reads with, are pure functions of (seed, epoch, position): batches depend on neither
// workers nor prefetch, and seek(step) continues as if all steps before had been taken.
//
// An error while reading surfaces in the next() of its own step, names the sample, and returns
// until seek(). The destructor may run at any time; it waits for the samples being read.
// After construction the loader itself allocates nothing. One consumer thread.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <limits>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "io/dataset.h"

namespace framefold {

struct LoaderOptions {
  Index batch = 1;
  bool shuffle = true;    // a new order each epoch; otherwise 0, 1, 2, ...
  bool drop_last = true;  // false: an epoch's last batch may be partial
  int workers = 1;        // 0: next() reads by itself
  Index prefetch = 2;     // batches kept ready or being read, at least 1
  std::uint64_t seed = 0;
  Index steps = std::numeric_limits<Index>::max();  // nothing is read past this many batches
};

struct Batch {
  Index step = 0, epoch = 0;
  Index count = 0;                 // samples; rows from here on are zero
  std::span<const Index> samples;  // their indices, valid until the next call
};

class Loader {
 public:
  Loader(std::shared_ptr<const Dataset> dataset, const LoaderOptions& options);

  TensorType type() const;  // of what next() takes, in u8
  Index steps_per_epoch() const { return epoch_steps_; }
  Batch next(Tensor clips);
  void seek(Index step);
  std::vector<std::string> names(const Batch& batch) const;
  double waited() const { return waited_; }  // seconds next() has spent waiting for samples

 private:
  struct Slot {
    Index step = -1, left = 0;  // rows still to be read
    std::unique_ptr<std::uint8_t[]> pixels;
    std::vector<Index> samples;
    std::exception_ptr error;  // of the first row that failed
    Index error_row = 0;
  };

  Index rows(Index step) const;
  Slot& slot(Index step);
  void read(Slot& slot, Index first, Index last, std::uint8_t* pixels);
  void work(const std::stop_token& stop);
  void deliver(const std::uint8_t* pixels, Index count, Tensor clips) const;

  std::shared_ptr<const Dataset> dataset_;
  LoaderOptions options_;
  TensorType sample_;
  Index epoch_steps_ = 0, grain_ = 1;
  double waited_ = 0;

  std::mutex mutex_;  // guards what follows, the slots' steps, counts and errors
  std::condition_variable_any wake_, ready_;
  Index next_ = 0;                   // the step that next() delivers
  Index claim_ = 0, claim_row_ = 0;  // the first row that no worker has taken
  int reading_ = 0;                  // workers inside a read
  std::vector<Slot> slots_;
  std::vector<Index> current_;         // the delivered batch's samples
  std::vector<std::jthread> workers_;  // last: they end before what they use
};

}  // namespace framefold

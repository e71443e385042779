// Batches in order, read ahead by worker threads.
//
//   clips  [B, T, H, W, C]  u8 as read, or f32 in [0, 1]   what next() writes, whole
//
// Batch `step` holds positions (step mod E) * B onwards of epoch step / E, where E is the number
// of whole batches an epoch has; what is left over is not read. With repeats R positions R p ... R
// p + R - 1 show one sample (repeated augmentation: Hoffer et al. 2020). What stands at a position
// of an epoch, and the random numbers its sample reads with, are pure functions of (seed, epoch,
// position): batches depend on neither workers nor prefetch, and seek(step) continues as if all
// steps before had been taken.
//
// Where bad samples are skipped, one whose file is damaged or unreadable (Error format or file)
// gives its place to another, drawn by (seed, epoch, position, attempt): still a pure function.
// Each is counted in the batch it was met in; the one that passes the budget is an Error of that
// batch, as is a place for which eight others are bad too.
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
  bool shuffle = true;  // a new order each epoch; otherwise 0, 1, 2, ...
  int workers = 1;      // 0: next() reads by itself
  Index prefetch = 2;   // batches kept ready or being read, at least 1
  std::uint64_t seed = 0;
  BadSamples bad;
  Index repeats = 1;  // how often each sample stands in a row in an epoch, read anew each time
  Index steps = std::numeric_limits<Index>::max();  // nothing is read past this many batches
};

struct Batch {
  Index step = 0, epoch = 0;
  std::span<const Index> samples;  // [B] indices, valid until the next call
  Index bad = 0;                   // samples that others replaced
};

class Loader {
 public:
  Loader(std::shared_ptr<const Dataset> dataset, const LoaderOptions& options);

  TensorType type() const;  // of what next() takes, in u8
  Index steps_per_epoch() const { return epoch_steps_; }
  Batch next(Tensor clips);
  void seek(Index step);
  std::vector<std::string> names(const Batch& batch) const;
  Index bad() const { return bad_; }  // samples replaced in the batches delivered, and before:
  void count_bad_from(Index before) { bad_ = before; }       // of the budget, too
  const std::string& last_bad() const { return last_bad_; }  // what was wrong with one of them

 private:
  struct Slot {
    Index step = -1, left = 0;  // rows still to be read
    std::unique_ptr<std::uint8_t[]> pixels;
    std::vector<Index> samples;
    std::exception_ptr error;  // of the first row that failed
    Index error_row = 0;
    Index bad = 0;
    std::string last_bad;
  };

  Index positions() const { return dataset_->size() * options_.repeats; }  // of an epoch
  Slot& slot(Index step);
  void read(Slot& slot, Index first, Index last, std::uint8_t* pixels);
  void read_or_replace(Slot& slot, Index row, std::uint64_t epoch, Index position,
                       std::uint8_t* clip);
  void work(const std::stop_token& stop);
  static void deliver(const std::uint8_t* pixels, Tensor clips);

  std::shared_ptr<const Dataset> dataset_;
  LoaderOptions options_;
  TensorType sample_;
  Index epoch_steps_ = 0, grain_ = 1;
  Index bad_ = 0;
  std::string last_bad_;

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

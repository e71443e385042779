// Datasets: clips of one shape, reached at random by their index.
//
//   clip   [T, H, W, C]  u8   what read() writes, whole; a picture is T = 1
//
// read(index, random, clip) is a pure function of its arguments, so neither threads nor workers
// nor the order of reading change what is read. It may be called from many threads at once.
// What a sample may vary by (where its window starts, augmentation) is drawn from `random`.
#pragma once

#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "kernels/error.h"
#include "kernels/philox.h"
#include "kernels/tensor.h"

namespace framefold {

// Where a clip lies in what it is a clip of. Seconds are NaN where that has no clock.
struct Moment {
  Index first = 0, last = 0;                                // frames
  double begin = std::numeric_limits<double>::quiet_NaN();  // when the first frame is shown
  double end = std::numeric_limits<double>::quiet_NaN();    // when the last one is
};

class Dataset {
 public:
  virtual ~Dataset() = default;
  virtual Index size() const = 0;                   // samples
  virtual Shape shape() const = 0;                  // of one sample, [T, H, W, C]
  virtual std::string name(Index index) const = 0;  // file or description, for messages
  virtual std::string description() const = 0;      // of the whole, one line for people
  virtual Index label(Index) const { return -1; }   // its class, from 0 on; -1: it has none
  virtual std::vector<std::string> classes() const { return {}; }  // names; none: unlabelled
  virtual Index source(Index index) const {
    return index;
  }  // samples of one are views of one thing
  // Of what read() shows with the same random numbers.
  virtual Moment moment(Index, Random) const { return {.last = shape()[0] - 1}; }
  // Itself as it is without augmentation; null: it has none.
  virtual std::shared_ptr<const Dataset> plain() const { return nullptr; }
  virtual double rate(Index) const { return 0; }  // its frames a second; 0: unknown
  void read(Index index, Random random, Tensor clip) const;

 private:
  virtual void do_read(Index index, Random random, Tensor clip) const = 0;
};

// A dataset in two parts that share no sample. A part without samples is null.
struct Split {
  std::shared_ptr<const Dataset> train, held_out;
  std::vector<std::string> skipped;  // one message for each file left out, where that was allowed
};

// Holds out round(fraction * size) samples, at least one where 0 < fraction and two samples are
// there, drawn without a seed: the same ones in every run. Both parts keep the samples' order.
Split split(std::shared_ptr<const Dataset> all, double fraction);

// Reads `sample`; where its file is damaged or unreadable (Error format or file) another takes its
// place: the first good one of those that `others` draws, at most eight. `sample` says which was
// read, or failed last; `bad` is told of each that was passed over.
void read_good(const Dataset& dataset, Index& sample, Random others,
               const std::function<Random(Index)>& random_of, Tensor clip,
               const std::function<void(const Error&)>& bad);

// Reads `sample` where it is good. Otherwise says at the end of `bad` what is wrong with it and
// returns false, or throws: where nothing is to be skipped, and past the budget.
struct BadSamples {
  bool skip = false;
  Index budget = 0;  // how many may be met; 0: any number
};
bool read_or_leave(const Dataset& dataset, Index sample, Tensor clip, const BadSamples& allowed,
                   std::vector<std::string>& bad);

// A dataset whose bad samples others replace, drawn by the bad one's index. Once it was read, such
// a sample is its stand-in in all that is told of it, and its name says so.
class Replacing final : public Dataset {
 public:
  // `budget`: how many may be bad, one more is Error(format); 0: any number.
  explicit Replacing(std::shared_ptr<const Dataset> dataset, Index budget = 0)
      : dataset_(std::move(dataset)), budget_(budget) {}
  // What is wrong with each bad sample met so far, in the order of indices.
  std::vector<std::string> bad() const;

  Index size() const override { return dataset_->size(); }
  Shape shape() const override { return dataset_->shape(); }
  std::string name(Index index) const override;
  std::string description() const override { return dataset_->description(); }
  Index label(Index index) const override { return dataset_->label(at(index)); }
  std::vector<std::string> classes() const override { return dataset_->classes(); }
  Index source(Index index) const override { return dataset_->source(at(index)); }
  Moment moment(Index index, Random random) const override {
    return dataset_->moment(at(index), random);
  }
  double rate(Index index) const override { return dataset_->rate(at(index)); }

 private:
  void do_read(Index index, Random random, Tensor clip) const override;
  Index at(Index index) const;  // the stand-in, where there is one

  std::shared_ptr<const Dataset> dataset_;
  Index budget_;
  mutable std::mutex mutex_;  // guards what follows
  mutable std::map<Index, Index> stand_ins_;
  mutable std::map<Index, std::string> bad_;
};

// The indices of both parts that split() makes of `size` samples.
struct SplitIndices {
  std::vector<Index> train, held_out;
};
SplitIndices split_indices(Index size, double fraction);

// The number that split() holds out; an Error where fraction is outside [0, 1].
Index held_out_of(Index size, double fraction);

}  // namespace framefold

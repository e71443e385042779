// Datasets: clips of one shape, reached at random by their index.
//
//   clip   [T, H, W, C]  u8   what read() writes, whole; a picture is T = 1
//
// read(index, random, clip) is a pure function of its arguments, so neither threads nor workers
// nor the order of reading change what is read. It may be called from many threads at once.
// What a sample may vary by (where its window starts, augmentation) is drawn from `random`.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "kernels/philox.h"
#include "kernels/tensor.h"

namespace framefold {

class Dataset {
 public:
  virtual ~Dataset() = default;
  virtual Index size() const = 0;                   // samples
  virtual Shape shape() const = 0;                  // of one sample, [T, H, W, C]
  virtual std::string name(Index index) const = 0;  // file or description, for messages
  virtual std::string description() const = 0;      // of the whole, one line for people
  virtual Index label(Index) const { return -1; }   // its class, from 0 on; -1: it has none
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

// The number that split() holds out; an Error where fraction is outside [0, 1].
Index held_out_of(Index size, double fraction);

}  // namespace framefold

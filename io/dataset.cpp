#include "io/dataset.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "io/random.h"
#include "kernels/error.h"

namespace framefold {
namespace {

class Subset final : public Dataset {
 public:
  Subset(std::shared_ptr<const Dataset> all, std::vector<Index> indices)
      : all_(std::move(all)), indices_(std::move(indices)) {}

  Index size() const override { return static_cast<Index>(indices_.size()); }
  Shape shape() const override { return all_->shape(); }
  std::string name(Index index) const override { return all_->name(at(index)); }
  Index label(Index index) const override { return all_->label(at(index)); }
  std::vector<std::string> classes() const override { return all_->classes(); }
  Index source(Index index) const override { return all_->source(at(index)); }
  Moment moment(Index index, Random random) const override {
    return all_->moment(at(index), random);
  }
  double rate(Index index) const override { return all_->rate(at(index)); }
  std::string description() const override {
    return text(size(), " of ", all_->size(), " samples: ", all_->description());
  }

 private:
  Index at(Index index) const { return indices_[static_cast<std::size_t>(index)]; }
  void do_read(Index index, Random random, Tensor clip) const override {
    all_->read(at(index), random, clip);
  }

  std::shared_ptr<const Dataset> all_;
  std::vector<Index> indices_;
};

}  // namespace

void Dataset::read(Index index, Random random, Tensor clip) const {
  if (index < 0 || index >= size())
    fail(ErrorCode::argument, "sample ", index, " does not exist, the dataset has ", size());
  if (clip.type() != TensorType{DType::u8, shape()})
    fail(ErrorCode::shape, "dataset: the clip to read into is ", clip.type(), ", expected ",
         TensorType{DType::u8, shape()});
  do_read(index, random, clip);
}

void read_good(const Dataset& dataset, Index& sample, Random others,
               const std::function<Random(Index)>& random_of, Tensor clip,
               const std::function<void(const Error&)>& bad) {
  constexpr std::uint64_t most = 8;
  for (std::uint64_t drawn = 0;; ++drawn) {
    try {
      return dataset.read(sample, random_of(sample), clip);
    } catch (const Error& error) {
      const bool damaged = error.code() == ErrorCode::format || error.code() == ErrorCode::file;
      if (!damaged || drawn == most) throw;
      bad(error);
    }
    sample = others.below(drawn, static_cast<std::uint32_t>(dataset.size()));
  }
}

void Replacing::do_read(Index index, Random random, Tensor clip) const {
  Index sample = index;
  read_good(
      *dataset_, sample, {0, static_cast<std::uint64_t>(index)}, [&](Index) { return random; },
      clip, [&](const Error&) { ++bad_; });
}

Index held_out_of(Index size, double fraction) {
  if (!(fraction >= 0 && fraction <= 1))
    fail(ErrorCode::argument, "the fraction to hold out is ", fraction, ", expected 0 to 1");
  const Index rounded = std::llround(fraction * static_cast<double>(size));
  return fraction > 0 && size > 1 ? std::max<Index>(1, rounded) : rounded;
}

SplitIndices split_indices(Index size, double fraction) {
  const Index wanted = held_out_of(size, fraction);
  const Permutation permutation(size, Random{});
  SplitIndices parts;
  for (Index i = 0; i < size; ++i)
    (i < wanted ? parts.held_out : parts.train).push_back(permutation(i));
  std::sort(parts.train.begin(), parts.train.end());
  std::sort(parts.held_out.begin(), parts.held_out.end());
  return parts;
}

Split split(std::shared_ptr<const Dataset> all, double fraction) {
  SplitIndices parts = split_indices(all->size(), fraction);
  if (parts.held_out.empty()) return {std::move(all), nullptr, {}};
  if (parts.train.empty()) return {nullptr, std::move(all), {}};
  return {std::make_shared<Subset>(all, std::move(parts.train)),
          std::make_shared<Subset>(all, std::move(parts.held_out)),
          {}};
}

}  // namespace framefold

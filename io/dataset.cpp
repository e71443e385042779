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

namespace {

bool is_damage(const Error& error) {
  return error.code() == ErrorCode::format || error.code() == ErrorCode::file;
}

// What is wrong with a sample, its name included.
std::string damage_of(const Dataset& dataset, Index sample, const Error& error) {
  const std::string name = dataset.name(sample), why = error.what();
  return why.find(name) == std::string::npos ? name + ": " + why : why;
}

void keep_budget(std::size_t bad, Index budget, const std::string& last) {
  if (budget > 0 && bad > static_cast<std::size_t>(budget))
    fail(ErrorCode::format, bad, " samples were bad, ", budget,
         " are allowed (data.bad_budget); the last: ", last);
}

}  // namespace

bool read_or_leave(const Dataset& dataset, Index sample, Tensor clip, const BadSamples& allowed,
                   std::vector<std::string>& bad) {
  try {
    dataset.read(sample, {}, clip);
    return true;
  } catch (const Error& error) {
    if (!allowed.skip || !is_damage(error)) throw;
    bad.push_back(damage_of(dataset, sample, error));
    keep_budget(bad.size(), allowed.budget, bad.back());
    return false;
  }
}

void read_good(const Dataset& dataset, Index& sample, Random others,
               const std::function<Random(Index)>& random_of, Tensor clip,
               const std::function<void(const Error&)>& bad) {
  constexpr std::uint64_t most = 8;
  for (std::uint64_t drawn = 0;; ++drawn) {
    try {
      return dataset.read(sample, random_of(sample), clip);
    } catch (const Error& error) {
      if (!is_damage(error) || drawn == most) throw;
      bad(error);
    }
    sample = others.below(drawn, static_cast<std::uint32_t>(dataset.size()));
  }
}

void Replacing::do_read(Index index, Random random, Tensor clip) const {
  Index sample = at(index);
  const auto note = [&](const Error& error) {
    const std::string message = damage_of(*dataset_, sample, error);
    const std::lock_guard lock(mutex_);
    bad_.insert_or_assign(sample, message);
    keep_budget(bad_.size(), budget_, message);
  };
  read_good(
      *dataset_, sample, {0, static_cast<std::uint64_t>(index)}, [&](Index) { return random; },
      clip, note);
  if (sample == index) return;
  const std::lock_guard lock(mutex_);
  stand_ins_[index] = sample;
}

Index Replacing::at(Index index) const {
  const std::lock_guard lock(mutex_);
  const auto found = stand_ins_.find(index);
  return found == stand_ins_.end() ? index : found->second;
}

std::string Replacing::name(Index index) const {
  const Index shown = at(index);
  if (shown == index) return dataset_->name(index);
  return text(dataset_->name(shown), " in place of ", dataset_->name(index), ", which is bad");
}

std::vector<std::string> Replacing::bad() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> messages;
  for (const auto& [index, message] : bad_) messages.push_back(message);
  return messages;
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

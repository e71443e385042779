#include "io/loader.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "io/random.h"
#include "kernels/error.h"

namespace framefold {
namespace {

// Streams of their own, apart from the models' operations.
constexpr std::uint64_t order_stream = 0x6f72646572, sample_stream = 0x73616d706c65,
                        bad_stream = 0x626164;

// The error in flight, with the sample's name in front.
std::exception_ptr named(const Dataset& dataset, Index sample) {
  try {
    const std::string name = dataset.name(sample);
    try {
      throw;
    } catch (const Error& error) {
      fail(error.code(), "reading ", name, ": ", error.what());
    } catch (const std::bad_alloc&) {
      fail(ErrorCode::memory, "reading ", name, ": out of memory");
    } catch (const std::exception& error) {
      fail(ErrorCode::format, "reading ", name, ": ", error.what());
    }
  } catch (...) {
    return std::current_exception();
  }
}

}  // namespace

Loader::Loader(std::shared_ptr<const Dataset> dataset, const LoaderOptions& options)
    : dataset_(std::move(dataset)), options_(options) {
  if (!dataset_) fail(ErrorCode::argument, "loader: the dataset has no samples");
  if (options_.batch < 1 || options_.workers < 0 || options_.prefetch < 1 || options_.steps < 0 ||
      options_.repeats < 1)
    fail(ErrorCode::argument, "loader: batch ", options_.batch, ", workers ", options_.workers,
         ", prefetch ", options_.prefetch, ", steps ", options_.steps, ", repeats ",
         options_.repeats, "; expected at least 1, 0, 1, 0 and 1");
  sample_ = {DType::u8, dataset_->shape()};
  const Index size = positions();
  epoch_steps_ = size / options_.batch;
  if (epoch_steps_ == 0)
    fail(ErrorCode::argument, "loader: the dataset has ", size, " samples, a batch takes ",
         options_.batch, "; make the batch smaller or give more data");
  grain_ = std::max<Index>(1, options_.batch / std::max(1, 4 * options_.workers));
  slots_.resize(static_cast<std::size_t>(options_.workers > 0 ? options_.prefetch : 1));
  const auto batch = static_cast<std::size_t>(options_.batch);
  current_.resize(batch);
  for (Slot& slot : slots_) {
    slot.samples.resize(batch);
    slot.pixels = std::make_unique_for_overwrite<std::uint8_t[]>(type().bytes());
  }
  for (int i = 0; i < options_.workers; ++i)
    workers_.emplace_back([this](const std::stop_token& stop) { work(stop); });
}

TensorType Loader::type() const {
  Shape shape{options_.batch};
  for (const Index extent : sample_.shape) shape.push_back(extent);
  return {DType::u8, shape};
}

Loader::Slot& Loader::slot(Index step) {
  return slots_[static_cast<std::size_t>(step) % slots_.size()];
}

// Reads rows [first, last) of the slot's batch to `pixels`, the batch's first row.
void Loader::read(Slot& slot, Index first, Index last, std::uint8_t* pixels) {
  const auto epoch = static_cast<std::uint64_t>(slot.step / epoch_steps_);
  const Permutation permutation(dataset_->size(), {options_.seed, stream_of(order_stream, epoch)});
  for (Index row = first; row < last; ++row) {
    const Index position = slot.step % epoch_steps_ * options_.batch + row;
    const Index place = position / options_.repeats;
    const Index sample = options_.shuffle ? permutation(place) : place;
    slot.samples[static_cast<std::size_t>(row)] = sample;
    try {
      read_or_replace(slot, row, epoch, position,
                      pixels + static_cast<Bytes>(row) * sample_.bytes());
    } catch (...) {
      const std::exception_ptr error =
          named(*dataset_, slot.samples[static_cast<std::size_t>(row)]);
      const std::lock_guard lock(mutex_);
      if (!slot.error || row < slot.error_row) {
        slot.error = error;
        slot.error_row = row;
      }
      return;
    }
  }
}

// The row's sample stands in its slot.
void Loader::read_or_replace(Slot& slot, Index row, std::uint64_t epoch, Index position,
                             std::uint8_t* clip) {
  Index& sample = slot.samples[static_cast<std::size_t>(row)];
  const Tensor to{clip, sample_.dtype, sample_.shape};
  const auto random_of = [&](Index index) {
    const Index drawn = index + position % options_.repeats * dataset_->size();
    return Random{options_.seed,
                  stream_of(sample_stream, epoch, static_cast<std::uint64_t>(drawn))};
  };
  if (!options_.bad.skip) return dataset_->read(sample, random_of(sample), to);
  const Random others{options_.seed,
                      stream_of(bad_stream, epoch, static_cast<std::uint64_t>(position))};
  read_good(*dataset_, sample, others, random_of, to, [&](const Error& error) {
    const std::lock_guard lock(mutex_);
    ++slot.bad;
    slot.last_bad = error.what();
  });
}

void Loader::work(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (wake_.wait(
      lock, stop, [&] { return claim_ < options_.steps && claim_ - next_ < options_.prefetch; })) {
    Slot& taken = slot(claim_);
    const Index first = claim_row_, last = std::min(options_.batch, first + grain_);
    if (first == 0) {
      taken.step = claim_;
      taken.left = options_.batch;
      taken.error = nullptr;
      taken.bad = 0;
    }
    claim_row_ = last == options_.batch ? 0 : last;
    if (claim_row_ == 0) ++claim_;
    ++reading_;
    lock.unlock();
    read(taken, first, last, taken.pixels.get());
    lock.lock();
    --reading_;
    taken.left -= last - first;
    if (taken.left == 0 || reading_ == 0) ready_.notify_all();
  }
}

Batch Loader::next(Tensor clips) {
  if (clips.shape != type().shape || (clips.dtype != DType::u8 && clips.dtype != DType::f32))
    fail(ErrorCode::shape, "loader: the batch to fill is ", clips.type(), ", expected ", type(),
         " or the same in f32");
  if (next_ >= options_.steps)
    fail(ErrorCode::argument, "loader: step ", next_, " was asked for, there are ", options_.steps);
  const Index step = next_;
  Slot& batch = slot(step);
  const bool direct = workers_.empty() && clips.dtype == DType::u8;
  if (workers_.empty()) {
    batch.step = step;
    batch.error = nullptr;
    batch.bad = 0;
    read(batch, 0, options_.batch, direct ? clips.as<std::uint8_t>() : batch.pixels.get());
  } else {
    std::unique_lock lock(mutex_);
    ready_.wait(lock, [&] { return batch.step == step && batch.left == 0; });
  }
  if (batch.error) std::rethrow_exception(batch.error);
  if (options_.bad.budget > 0 && bad_ + batch.bad > options_.bad.budget)
    fail(ErrorCode::format, bad_ + batch.bad, " samples were bad, ", options_.bad.budget,
         " are allowed; the last: ", batch.last_bad);
  bad_ += batch.bad;
  if (batch.bad > 0) last_bad_ = batch.last_bad;
  if (!direct) deliver(batch.pixels.get(), clips);
  std::ranges::copy(batch.samples, current_.begin());
  const Index bad = batch.bad;
  {
    const std::lock_guard lock(mutex_);
    ++next_;
  }
  wake_.notify_all();
  return {step, step / epoch_steps_, current_, bad};
}

void Loader::deliver(const std::uint8_t* pixels, Tensor clips) {
  if (clips.dtype == DType::f32) {
    auto* out = clips.as<float>();
    for (Index i = 0; i < clips.size(); ++i) out[i] = static_cast<float>(pixels[i]) / 255.0F;
  } else {
    std::memcpy(clips.as<std::uint8_t>(), pixels, clips.type().bytes());
  }
}

void Loader::seek(Index step) {
  if (step < 0) fail(ErrorCode::argument, "loader: cannot seek to step ", step);
  std::unique_lock lock(mutex_);
  claim_ = options_.steps;  // nothing is taken while the readers finish
  ready_.wait(lock, [&] { return reading_ == 0; });
  for (Slot& slot : slots_) slot.step = -1;
  next_ = claim_ = step;
  claim_row_ = 0;
  lock.unlock();
  wake_.notify_all();
}

std::vector<std::string> Loader::names(const Batch& batch) const {
  std::vector<std::string> result;
  for (const Index sample : batch.samples) result.push_back(dataset_->name(sample));
  return result;
}

}  // namespace framefold

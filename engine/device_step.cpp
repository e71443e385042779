#include "engine/device_step.h"

#include <cmath>

#include "engine/laps.h"
#include "engine/train.h"
#include "kernels/buffer.h"

namespace framefold {
namespace {

Tensor flat(std::span<float> values) {
  return {values.data(), DType::f32, {static_cast<Index>(values.size())}};
}

int slot_of(Index batch) { return static_cast<int>(batch % Feed::slots); }

}  // namespace

DeviceStep::DeviceStep(Executor& executor, Parameters& parameters, Optimizer& optimizer,
                       BatchSource& source, std::uint64_t seed, Index accumulate, bool records)
    : executor_(executor),
      parameters_(parameters),
      optimizer_(optimizer),
      source_(source),
      seed_(seed),
      accumulate_(accumulate),
      stream_(executor.stream()),
      runtime_(device_runtime(stream_.device)),
      shadow_(parameters.live_buffers().size_bytes(), stream_.device),
      loss_(sizeof(float), stream_.device),
      results_(Buffer::pinned(3 * sizeof(float), stream_.device)),
      whole_(stream_, records),
      first_(stream_, records),
      next_(stream_, records),
      last_(stream_, records) {}

void DeviceStep::forget_batches() {
  fetched_ = -1;
  for (int slot = 0; slot < Feed::slots; ++slot) executor_.feed().free(slot);
}

void DeviceStep::fetch(Index batch) {
  Feed& feed = executor_.feed();
  const int slot = slot_of(batch);
  feed.free(slot);
  batches_[static_cast<std::size_t>(slot)] = source_.next(feed.inputs(slot));
  executor_.draw({seed_, static_cast<std::uint64_t>(batch)}, feed.randoms(slot));
  feed.upload(slot);
  fetched_ = batch;
}

void DeviceStep::begin() {
  optimizer_.clear_gradients();
  fill(stream_, flat(loss_.as<float>().first(1)), 0);
  if (shadow_.bytes() > 0)
    runtime_.copy(stream_.queue, shadow_.data(), parameters_.live_buffers().data(),
                  shadow_.bytes());
}

void DeviceStep::add_batch() {
  executor_.enqueue(true, 1 / static_cast<float>(accumulate_));
  accumulate(stream_, flat(loss_.as<float>().first(1)),
             executor_.live(executor_.plan().options().loss));
}

void DeviceStep::finish() {
  optimizer_.enqueue_update(flat(loss_.as<float>().first(1)));
  const View verdict = optimizer_.verdict();
  if (shadow_.bytes() > 0)
    restore_where_nan(stream_, verdict, flat(parameters_.live_buffers()),
                      flat(shadow_.as<float>()));
  runtime_.copy(stream_.queue, results_.data(), verdict.data, verdict.bytes());
  runtime_.copy(stream_.queue, results_.data() + verdict.bytes(), loss_.data(), sizeof(float));
}

template <class Work>
void DeviceStep::enqueue(Replay& replay, const Work& work) {
  if (executor_.profiles())
    work();
  else
    replay.run(work);
}

void DeviceStep::run(StepRecord& record, bool last) {
  Laps laps;
  const Index batch = record.step * accumulate_;
  optimizer_.prepare(record.rate);
  for (Index i = 0; i < accumulate_; ++i) {
    if (fetched_ < batch + i) {
      laps.add_to(record.compute_seconds);
      fetch(batch + i);
      laps.add_to(record.data_seconds);
    }
    executor_.feed().take(slot_of(batch + i));
    if (accumulate_ == 1)
      enqueue(whole_, [this] { begin(), add_batch(), finish(); });
    else if (i == 0)
      enqueue(first_, [this] { begin(), add_batch(); });
    else
      enqueue(next_, [this] { add_batch(); });
    const BatchSource::Batch& taken = batches_[static_cast<std::size_t>(slot_of(batch + i))];
    record.samples += taken.samples;
    record.epoch = taken.epoch;
    if (last && i + 1 == accumulate_) continue;
    laps.add_to(record.compute_seconds);
    try {
      fetch(batch + i + 1);
    } catch (const Error&) {  // of the next step it is told when that begins
      if (i + 1 == accumulate_) continue;
      restore_buffers();
      throw;
    }
    laps.add_to(record.data_seconds);
  }
  if (accumulate_ > 1) enqueue(last_, [this] { finish(); });
  runtime_.wait(stream_.queue);
  executor_.take_times();
  const std::span<const float> results = results_.as<float>();
  record.gradient_norm = static_cast<double>(results[1]);
  record.loss = static_cast<double>(results[2]) / static_cast<double>(accumulate_);
  record.skipped = std::isnan(results[0]);
  optimizer_.settle(!record.skipped);
  laps.add_to(record.compute_seconds);
}

std::string DeviceStep::refusal() const {
  for (const Replay* replay : {&whole_, &first_, &next_, &last_})
    if (!replay->refusal().empty()) return replay->refusal();
  return {};
}

void DeviceStep::restore_buffers() {
  if (shadow_.bytes() > 0)
    runtime_.copy(stream_.queue, parameters_.live_buffers().data(), shadow_.data(),
                  shadow_.bytes());
}

}  // namespace framefold

#include "engine/train.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include "engine/laps.h"
#include "kernels/device.h"

namespace framefold {
namespace {

using Clock = std::chrono::steady_clock;

std::string listed(const std::vector<std::string>& names) {
  constexpr std::size_t most = 16;
  std::string list;
  for (std::size_t i = 0; i < std::min(most, names.size()); ++i)
    list += (i == 0 ? "" : ", ") + names[i];
  if (names.size() > most) list += text(" and ", names.size() - most, " more");
  return list;
}

}  // namespace

Trainer::Trainer(Executor& executor, Parameters& parameters, Optimizer& optimizer,
                 BatchSource& source, const TrainOptions& options, Checkpoints* checkpoints)
    : executor_(executor),
      parameters_(parameters),
      optimizer_(optimizer),
      source_(source),
      options_(options),
      checkpoints_(checkpoints),
      inputs_(inputs_of(executor)),
      shadow_(on_device(executor.stream()) ? 0 : parameters.buffers().size_bytes()) {
  options_.schedule.check();
  if (options_.accumulate < 1)
    fail(ErrorCode::config, "train: a step accumulates ", options_.accumulate,
         " batches, expected 1 or more");
  if (on_device(executor.stream()))
    device_ = std::make_unique<DeviceStep>(executor, parameters, optimizer, source, options_.seed,
                                           options_.accumulate, options_.replay);
  counters_.seed = options_.seed;
  counters_.config = options_.config;
}

Bytes Trainer::bytes_of(const Graph& graph) {  // as much as the buffers: b = 2 (w + b) - (2 w + b)
  return 2 * Parameters::bytes_of(graph, false) - Parameters::bytes_of(graph, true);
}

void Trainer::resume(const Counters& counters) {
  if (counters.seed != options_.seed)
    fail(ErrorCode::config, "train: the checkpoint's seed is ", counters.seed,
         ", the configuration's is ", options_.seed, "; a resumed run keeps its seed");
  counters_ = counters;
  counters_.config = options_.config;
  saved_step_ = counters.step;
}

Ending Trainer::run(const TrainHooks& hooks) {
  const Clock::time_point begun = Clock::now();
  source_.seek(counters_.step * options_.accumulate);
  if (device_) device_->forget_batches();
  if (counters_.step > 0 && due(options_.evaluate_every) && !counters_.metric) {
    saved_step_ = -1;
    evaluate(hooks);
  }
  std::optional<Ending> ending;
  while (!(ending = ending_now(hooks, begun))) {
    const StepRecord record = step_or_save(hooks);
    if (hooks.step) hooks.step(record);
    if (due(options_.evaluate_every)) evaluate(hooks);
    if (due(options_.save_every)) save(hooks);
  }
  save(hooks);
  return *ending;
}

std::optional<Ending> Trainer::ending_now(const TrainHooks& hooks, Clock::time_point begun) const {
  if (counters_.step >= options_.steps) return Ending::finished;
  if (hooks.stop && hooks.stop()) return Ending::interrupted;
  const std::chrono::duration<double> taken = Clock::now() - begun;
  if (options_.seconds > 0 && taken.count() >= options_.seconds) return Ending::out_of_time;
  return std::nullopt;
}

bool Trainer::due(Index every) const {
  return every > 0 && (counters_.step % every == 0 || counters_.step == options_.steps);
}

StepRecord Trainer::step_or_save(const TrainHooks& hooks) {
  try {
    return step();
  } catch (const Error& error) {
    const bool unread = error.code() == ErrorCode::file || error.code() == ErrorCode::format;
    if (!unread || counters_.step == 0) throw;
    if (!device_) restore_buffers();  // a device's step has
    save(hooks);
    throw;
  }
}

StepRecord Trainer::step() {
  StepRecord record{.step = counters_.step, .rate = options_.schedule.at(counters_.step)};
  if (device_)
    device_->run(record, counters_.step + 1 == options_.steps);
  else
    compute(record);
  if (record.skipped) skip(record);
  record.skipped_steps = counters_.skipped;
  counters_.epoch = record.epoch;
  counters_.metric.reset();
  ++counters_.step;
  return record;
}

void Trainer::compute(StepRecord& record) {
  Laps laps;
  std::ranges::copy(parameters_.buffers(), shadow_.as<float>().begin());
  optimizer_.clear_gradients();
  laps.add_to(record.update_seconds);

  const auto share = 1 / static_cast<float>(options_.accumulate);
  for (Index i = 0; i < options_.accumulate; ++i) {
    const BatchSource::Batch batch = source_.next(inputs_);
    laps.add_to(record.data_seconds);
    executor_.run(counter(i), true, share);
    laps.add_to(record.compute_seconds);
    record.loss += static_cast<double>(executor_.loss()) * static_cast<double>(share);
    record.samples += batch.samples;
    record.epoch = batch.epoch;
  }

  record.gradient_norm = optimizer_.gradient_norm();
  record.skipped = !std::isfinite(record.loss) || !std::isfinite(record.gradient_norm);
  if (!record.skipped) optimizer_.update(record.rate, record.gradient_norm);
  laps.add_to(record.update_seconds);
}

// Batch i of the current step.
Executor::Counter Trainer::counter(Index i) const {
  return {options_.seed, static_cast<std::uint64_t>(counters_.step * options_.accumulate + i)};
}

void Trainer::skip(const StepRecord& record) {
  restore_buffers();
  if (counters_.skipped >= options_.max_skipped) fail_numeric(record);
  ++counters_.skipped;
}

void Trainer::restore_buffers() {
  if (device_) return device_->restore_buffers();
  std::ranges::copy(shadow_.as<float>(), parameters_.buffers().begin());
}

// Takes the step's batches again, looking at every operation.
void Trainer::fail_numeric(const StepRecord& record) {
  const std::string what = text("step ", record.step, ": the loss is ", record.loss,
                                ", the gradients' norm ", record.gradient_norm, "; ");
  const std::string remedy = text(
      "; look at these samples, lower the learning rate, clip gradients or allow skipped "
      "steps (",
      counters_.skipped, " of ", options_.max_skipped, " taken)");
  source_.seek(counters_.step * options_.accumulate);
  if (device_) device_->forget_batches();
  std::string samples;
  for (Index i = 0; i < options_.accumulate; ++i) {
    source_.next(inputs_);
    samples = listed(source_.names());
    optimizer_.clear_gradients();
    const std::optional<Fault> fault = executor_.find_fault(counter(i));
    if (!fault) continue;
    restore_buffers();
    std::string inputs;
    for (const std::string& input : fault->inputs) inputs += "; " + input;
    fail(ErrorCode::numeric, what, "the first result that is not finite is that of ", fault->step,
         ": ", fault->output, inputs, "; samples: ", samples, remedy);
  }
  restore_buffers();
  fail(ErrorCode::numeric, what, "every operation's result is finite, their sums are not",
       "; samples of the last batch: ", samples, remedy);
}

void Trainer::evaluate(const TrainHooks& hooks) {
  if (!hooks.evaluate) return;
  optimizer_.swap_average();
  double metric = NAN;
  try {
    metric = hooks.evaluate(counters_.step);
  } catch (const Error& error) {
    optimizer_.swap_average();
    if (error.code() == ErrorCode::interrupted) return;
    save(hooks);
    throw;
  }
  optimizer_.swap_average();
  if (!std::isfinite(metric)) return;
  counters_.metric = metric;
  if (counters_.best && *counters_.best <= metric) return;
  counters_.best = metric;
  save(hooks);
}

void Trainer::save(const TrainHooks& hooks) {
  if (checkpoints_ == nullptr || saved_step_ == counters_.step) return;
  const std::filesystem::path path = checkpoints_->save(parameters_, optimizer_, counters_);
  saved_step_ = counters_.step;
  if (hooks.saved) hooks.saved(path);
}

}  // namespace framefold

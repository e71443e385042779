#include "cli/training_parts.h"

#include <limits>

#include "cli/plan_report.h"
#include "cli/print.h"
#include "engine/memory.h"
#include "kernels/device.h"

namespace framefold {
namespace {

// What is lacking is said before anything is taken: later the system would end the process.
void check_memory(const Config& config, const Plan& plan, const Device& device) {
  const bool remote = device.kind == Device::Kind::cuda;
  const Bytes free = remote ? device_runtime(device).memory().free
                            : available_memory().value_or(std::numeric_limits<Bytes>::max());
  // Rarely close, and the whole account takes a start's milliseconds.
  if (plan.arena_bytes() + 4 * Parameters::bytes_of(plan.graph(), true) < free / 4) return;
  const PlanReport report = plan_report(config, config.train.batch);
  if (report.total <= free) return;
  const auto fits = largest_batch(config, free);
  fail(ErrorCode::memory, "train.batch ", report.batch, " needs ", with_bytes(report.total), " on ",
       remote ? device_runtime(device).name() : "this machine", ", ", with_bytes(free),
       " are free, ", with_bytes(report.total - free), " are missing; ",
       fits ? text("the largest batch that fits is ", *fits) : text("not even one clip fits"),
       " (`framefold plan` shows what takes how much)");
}

}  // namespace

TrainingParts::TrainingParts(const Config& given, const std::filesystem::path& kept)
    : config(given),
      device(open_device(config.train)),
      data(open_data(config, !config.task.classifies())) {
  if (!data.train)
    fail(ErrorCode::config, "data.held_out is ", config.data.held_out,
         ", which leaves no clip to train on; make it smaller");
  TrainConfig& train = config.train;
  const Stream stream = stream_of(train);
  train.threads = stream.threads;
  if (config.task.classifies()) {
    classes = classes_of(config, data);
    config.task.classifier.classes = std::ssize(classes);
  }
  compiled = compile_training(config, train.batch);
  check_memory(config, *compiled.plan, stream.device);
  if (train.path == "measured") paths = measure_paths(compiled.plan, kept);
  parameters = std::make_unique<Parameters>(compiled.plan->graph(), true, stream.device);
  parameters->initialize(static_cast<std::uint64_t>(train.seed));
  executor = std::make_unique<Executor>(compiled.plan, *parameters);
  if (paths) executor->take(paths_of(*compiled.plan, paths->choices));
  executor->profile(!on_device(stream));  // on a device times cost the replay of whole steps
  optimizer = std::make_unique<Optimizer>(*parameters, optimizer_options(train), stream);
  source =
      std::make_unique<LoaderSource>(data.train, loader_options(config), config.augment.mixing,
                                     std::ssize(classes), config.task.smoothing, config.corrupt);
}

}  // namespace framefold

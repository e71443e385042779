#include "cli/training_parts.h"

namespace framefold {

TrainingParts::TrainingParts(const Config& given)
    : config(given), data(open_data(config, !config.task.classifies())) {
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
  parameters = std::make_unique<Parameters>(compiled.plan->graph());
  parameters->initialize(static_cast<std::uint64_t>(train.seed));
  executor = std::make_unique<Executor>(compiled.plan, *parameters);
  executor->profile(true);
  optimizer = std::make_unique<Optimizer>(*parameters, optimizer_options(train), stream);
  source =
      std::make_unique<LoaderSource>(data.train, loader_options(config), config.augment.mixing,
                                     std::ssize(classes), config.task.smoothing, config.corrupt);
}

}  // namespace framefold

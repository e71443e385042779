#include "cli/parts.h"

#include <thread>

#include "io/clip_files.h"
#include "io/digits.h"
#include "io/idx_pictures.h"
#include "io/moving_digits.h"

namespace framefold {

Split open_data(const DataConfig& data) {
  const auto seed = static_cast<std::uint64_t>(data.seed);
  const auto digits = [&](Index count) {
    if (data.path.empty())
      return drawn_digits({.count = count, .held_out = data.held_out, .seed = seed});
    return idx_pictures(data.path, data.held_out);
  };
  if (data.kind == "digits") return digits(data.clips);
  if (data.kind == "moving-digits")
    return moving_digits(digits(10000), {.frames = data.frames,
                                         .height = data.height,
                                         .width = data.width,
                                         .digits = data.digits,
                                         .speed = data.speed,
                                         .clips = data.clips,
                                         .held_out = data.held_out,
                                         .seed = seed});
  if (data.path.empty())
    fail(ErrorCode::config, "data.path is empty, expected the folder or file of the ", data.kind,
         "; give it with --set data.path=DIR");
  return clip_files(
      {.kind = data.kind == "videos" ? ClipFiles::Kind::videos : ClipFiles::Kind::pictures,
       .path = data.path,
       .frames = data.frames,
       .stride = data.stride,
       .format = {data.height, data.width, data.channels},
       .held_out = data.held_out,
       .skip_bad = data.skip_bad,
       .cache = static_cast<Bytes>(data.cache_mib) << 20});
}

LoaderOptions loader_options(const Config& config) {
  return {.batch = config.train.batch,
          .workers = static_cast<int>(config.data.workers),
          .prefetch = config.data.prefetch,
          .seed = static_cast<std::uint64_t>(config.train.seed)};
}

Stream stream_of(const TrainConfig& train) {
  Stream stream{.threads = static_cast<int>(train.threads)};
  if (stream.threads == 0)
    stream.threads = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  if (train.path == "reference") stream.path = Path::reference;
  if (train.path == "native") stream.path = Path::native;
  if (train.path == "vendor") stream.path = Path::vendor;
  return stream;
}

OptimizerOptions optimizer_options(const TrainConfig& train) {
  OptimizerOptions options{.kind = optimizer_kind(train.optimizer),
                           .momentum = train.momentum,
                           .nesterov = train.nesterov,
                           .smoothing = train.smoothing,
                           .beta1 = train.beta1,
                           .beta2 = train.beta2,
                           .epsilon = train.epsilon,
                           .weight_decay = train.weight_decay,
                           .clip = train.clip,
                           .average = train.average};
  options.check();
  return options;
}

Schedule schedule_of(const TrainConfig& train, Index steps) {
  Schedule schedule{.kind = schedule_kind(train.schedule),
                    .rate = train.learning_rate,
                    .warmup = train.warmup,
                    .steps = steps,
                    .minimum = train.minimum_rate,
                    .every = train.decay_every,
                    .factor = train.decay_factor};
  schedule.check();
  return schedule;
}

namespace {

ModelOptions model_options(const Config& config) {
  ModelOptions options = config.model;
  const DataConfig& data = config.data;
  options.clip = {data.frames, data.height, data.width, data.channels};
  return options;
}

}  // namespace

Compiled compile_training(const Config& config, Index batch) {
  Graph graph(Mode::train);
  Compiled compiled{build_model(graph, model_options(config), batch), nullptr, batch};
  compiled.plan = std::make_shared<Plan>(
      compile(graph, {.loss = compiled.model.loss, .stream = stream_of(config.train)}));
  return compiled;
}

Compiled compile_evaluation(const Config& config, Index batch) {
  Graph graph(Mode::evaluate);
  Compiled compiled{build_model(graph, model_options(config), batch), nullptr, batch};
  const Autoencoder& model = compiled.model;
  compiled.plan = std::make_shared<Plan>(
      compile(graph, {.fetch = {model.clip, model.code, model.reconstruction, model.loss},
                      .stream = stream_of(config.train)}));
  return compiled;
}

std::vector<Index> evaluation_batches(Index batch, Index clips) {
  if (clips == 0 || clips % batch == 0) return {batch};
  if (clips < batch) return {clips};
  return {batch, clips % batch};
}

}  // namespace framefold

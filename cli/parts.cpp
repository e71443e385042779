#include "cli/parts.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <thread>

#include "io/clip_files.h"
#include "io/digits.h"
#include "io/endings.h"
#include "io/idx_pictures.h"
#include "io/isolated_codecs.h"
#include "io/listed_videos.h"
#include "io/moving_digits.h"
#include "io/printable.h"
#include "io/shards.h"
#include "kernels/device.h"
#include "kernels/device_runtime.h"

namespace framefold {
namespace {

void announce(const std::string& why) {
  std::fprintf(stderr, "framefold: %s\n", printable(why).c_str());
}

std::shared_ptr<const VideoFiles> video_files_of(const DataConfig& data) {
  VideoFiles::Options options{.rate = data.fps};
  const Hardware hardware = hardware_kind(data.hardware);
  if (data.isolate)
    options.codecs = isolated_codecs({.hardware = hardware, .announce = announce});
  else if (hardware != Hardware::off)
    options.codecs = codecs_with(hardware, announce);
  return std::make_shared<const VideoFiles>(std::move(options));
}

// A split of the videos, or what two sets of them say.
Split sampled(const std::shared_ptr<const VideoSet>& train,
              const std::shared_ptr<const VideoSet>& held_out, const Config& config) {
  const DataConfig& data = config.data;
  SampledClips options{.sampling = {.kind = sampling_kind(data.sampling),
                                    .frames = data.frames,
                                    .stride = data.stride,
                                    .step = data.step,
                                    .clips = data.test_clips},
                       .height = data.height,
                       .width = data.width,
                       .channels = data.channels,
                       .crops = data.test_crops,
                       .augmentation = augmentation_of(config.augment)};
  const bool skip_bad = data.on_bad == "skip";
  if (!held_out) return sampled_split(train, data.held_out, options, skip_bad);
  Split parts;
  std::vector<std::string>* skipped = skip_bad ? &parts.skipped : nullptr;
  parts.train = sampled_clips(train, {}, options, skipped);
  options.training = false;
  parts.held_out = sampled_clips(held_out, {}, options, skipped);
  return parts;
}

Split open_list(const Config& config) {
  const DataConfig& data = config.data;
  const auto files = video_files_of(data);
  std::vector<std::string> missing;
  const auto videos = [&](const std::string& path) -> std::shared_ptr<const VideoSet> {
    if (path.empty()) return nullptr;
    VideoList list = read_list({.path = path,
                                .format = data.list_format,
                                .root = data.list_root,
                                .skip_missing = data.on_bad == "skip"});
    if (list.format == ListFormat::ssv2 && config.augment.values.flip > 0)
      fail(ErrorCode::config, "augment.flip is ", config.augment.values.flip,
           ", but left and right are meaning in ", path, " (ssv2); set it to 0");
    for (const MissingFile& file : list.missing) missing.push_back(file.message);
    return listed_videos(std::move(list), files);
  };
  const auto train = videos(data.path);
  Split parts = sampled(train, videos(data.held_out_path), config);
  parts.skipped.insert(parts.skipped.begin(), missing.begin(), missing.end());
  return parts;
}

Split open_packed(const Config& config) {
  const auto held_out =
      config.data.held_out_path.empty() ? nullptr : open_shards(config.data.held_out_path);
  return sampled(open_shards(config.data.path), held_out, config);
}

Split open_plain(const DataConfig& data) {
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
                                         .directions = data.directions,
                                         .clips = data.clips,
                                         .held_out = data.held_out,
                                         .seed = seed});
  return clip_files(
      {.kind = data.kind == "videos" ? ClipFiles::Kind::videos : ClipFiles::Kind::pictures,
       .path = data.path,
       .frames = data.frames,
       .stride = data.stride,
       .format = {data.height, data.width, data.channels},
       .held_out = data.held_out,
       .skip_bad = data.on_bad == "skip",
       .cache = static_cast<Bytes>(data.cache_mib) << 20,
       .files = video_files_of(data)});
}

}  // namespace

Augmentation augmentation_of(const AugmentConfig& augment) {
  Augmentation values = augment.values;
  values.crop = crop_kind(augment.crop);
  return values;
}

namespace {

Split open_parts(const Config& config) {
  const DataConfig& data = config.data;
  const bool digits = data.kind == "digits" || data.kind == "moving-digits";
  if (data.path.empty() && !digits)
    fail(ErrorCode::config, "data.path is empty, expected the folder or file of the ", data.kind,
         "; give it with --set data.path=DIR");
  if (config.task.classifies() && changes(config.corrupt))
    fail(ErrorCode::config,
         "corrupt is for reconstructions, task.kind takes labels as its target; use augment");
  if (data.fps > 0 && data.kind != "list" && data.kind != "videos")
    fail(ErrorCode::config, "data.fps is ", data.fps, ", but data.kind is ", data.kind,
         data.kind == "shards" ? "; give it to `framefold data pack` as --fps"
                               : ", whose frames have no times; set it to 0");
  if (data.kind == "list") return open_list(config);
  if (data.kind == "videos" && ends_in(list_endings, data.path))
    fail(ErrorCode::config, "data.path is ", data.path,
         ", a list, but data.kind is videos; set data.kind=list");
  if (data.kind == "shards") return open_packed(config);
  const Augmentation augmentation = augmentation_of(config.augment);
  if (digits && augmentation.flip > 0)
    fail(ErrorCode::config, "augment.flip is ", augmentation.flip,
         ", but digits read the other way round are none; set it to 0");
  Split parts = open_plain(data);
  if (changes(augmentation) && parts.train)
    parts.train = augmented(parts.train, augmentation, data.height, data.width);
  return parts;
}

}  // namespace

// Training counts what it meets by itself; nobody else does for the held-out part.
Split open_data(const Config& config, bool replacing) {
  Split parts = open_parts(config);
  if (config.data.on_bad == "skip" && replacing && parts.held_out)
    parts.held_out = std::make_shared<const Replacing>(parts.held_out, config.data.bad_budget);
  return parts;
}

std::shared_ptr<const Dataset> plain_training(const Split& data, const Config& config) {
  auto plain = data.train->plain();
  if (!plain) plain = data.train;
  if (config.data.on_bad != "skip") return plain;
  return std::make_shared<const Replacing>(plain, config.data.bad_budget);
}

std::vector<std::string> bad_clips(const Dataset& dataset) {
  const auto* replacing = dynamic_cast<const Replacing*>(&dataset);
  return replacing == nullptr ? std::vector<std::string>{} : replacing->bad();
}

BadSamples bad_samples(const DataConfig& data) { return {data.on_bad == "skip", data.bad_budget}; }

LoaderOptions loader_options(const Config& config) {
  return {.batch = config.train.batch,
          .workers = static_cast<int>(config.data.workers),
          .prefetch = config.data.prefetch,
          .seed = static_cast<std::uint64_t>(config.train.seed),
          .bad = bad_samples(config.data),
          .repeats = config.data.repeats};
}

Device device_of(const TrainConfig& train) {
  const std::string& name = train.device;
  if (name == "cpu") return Device::cpu();
  if (name == "cuda") return Device::cuda(0);
  int index = -1;
  if (name.starts_with("cuda:")) {
    const char* end = name.data() + name.size();
    const auto read = std::from_chars(name.data() + 5, end, index);
    if (read.ec != std::errc() || read.ptr != end) index = -1;
  }
  if (index < 0)
    fail(ErrorCode::config, "train.device is \"", name, "\", expected cpu, cuda or cuda:N");
  return Device::cuda(index);
}

std::string open_device(const TrainConfig& train) {
  const Stream stream = stream_of(train);
  if (on_device(stream)) return device_runtime(stream.device).name();
  return text("CPU, ", stream.threads, stream.threads == 1 ? " thread" : " threads");
}

Stream stream_of(const TrainConfig& train) {
  Stream stream{.device = device_of(train), .threads = static_cast<int>(train.threads)};
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
                           .average = train.average,
                           .layer_decay = train.layer_decay};
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

ModelOptions model_options(const Config& config) {
  ModelOptions options = config.model;
  const DataConfig& data = config.data;
  options.clip = {data.frames, data.height, data.width, data.channels};
  options.restores = changes(config.corrupt);
  return options;
}

namespace {

Compiled build(Graph& graph, const Config& config, Index batch) {
  Compiled compiled{.batch = batch};
  if (config.task.classifies()) {
    const Classifier made =
        build_classifier(graph, model_options(config), config.task.classifier, batch);
    compiled.model = {.clip = made.clip, .code = made.features, .loss = made.loss};
    compiled.probabilities = made.probabilities;
  } else {
    compiled.model = build_model(graph, model_options(config), batch);
  }
  return compiled;
}

}  // namespace

Compiled compile_training(const Config& config, Index batch) {
  const bool measured = config.train.path == "measured";
  Graph graph(Mode::train);
  Compiled compiled = build(graph, config, batch);
  compiled.plan = std::make_shared<Plan>(compile(graph, {.loss = compiled.model.loss,
                                                         .stream = stream_of(config.train),
                                                         .recompute = config.train.recompute,
                                                         .both_paths = measured}));
  return compiled;
}

Compiled compile_evaluation(const Config& config, Index batch) {
  Graph graph(Mode::evaluate);
  Compiled compiled = build(graph, config, batch);
  const Autoencoder& model = compiled.model;
  std::vector<Value> fetch{model.clip, model.code, model.loss};
  fetch.push_back(config.task.classifies() ? compiled.probabilities : model.reconstruction);
  if (changes(config.corrupt)) fetch.push_back(model.target);
  if (model.masked_clip && !config.task.classifies()) fetch.push_back(model.masked_clip);
  compiled.plan = std::make_shared<Plan>(
      compile(graph, {.fetch = std::move(fetch), .stream = stream_of(config.train)}));
  return compiled;
}

std::vector<std::string> classes_of(const Config& config, const Split& data) {
  std::vector<std::string> classes;
  if (data.train) classes = data.train->classes();
  if (data.held_out) {
    const std::vector<std::string> held_out = data.held_out->classes();
    if (!data.train || classes.empty()) classes = held_out;
    for (std::size_t i = 0; i < held_out.size(); ++i)
      if (i >= classes.size() || held_out[i] != classes[i])
        fail(ErrorCode::config, "held-out class ", i, " is \"", held_out[i],
             "\", of training it is ", i < classes.size() ? "\"" + classes[i] + '"' : "none",
             "; both lists must count the same classes in the same order");
  }
  if (classes.empty())
    fail(ErrorCode::config, "task.kind is classify, but data.kind ", config.data.kind,
         " has no classes here; take a list with labels (data.kind=list), shards packed of one, or "
         "moving digits with data.directions=true");
  const Index wanted = config.task.classifier.classes;
  if (wanted > 0 && wanted != static_cast<Index>(classes.size()))
    fail(ErrorCode::config, "task.classes is ", wanted, ", the data has ", classes.size(),
         " classes; set it to 0 to take the data's");
  return classes;
}

std::vector<Index> evaluation_batches(Index batch, Index clips) {
  if (clips == 0 || clips % batch == 0) return {batch};
  if (clips < batch) return {clips};
  return {batch, clips % batch};
}

}  // namespace framefold

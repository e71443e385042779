#include "cli/trained.h"

#include <sstream>

#include "cli/print.h"
#include "engine/checkpoint.h"
#include "io/file.h"
#include "io/safetensors.h"

namespace framefold {
namespace {

namespace fs = std::filesystem;

constexpr Index mean_clips = 1000;  // of the training data, at most

void note_left_out(const Split& parts) {
  for (const std::string& message : parts.skipped) ProgressLine().note("left out: " + message);
}

}  // namespace

fs::path checkpoint_of(const RunDirectory& run, const std::string& wanted) {
  if (wanted != "best" && wanted != "last") return wanted;
  const Checkpoints checkpoints(run.checkpoints());
  if (wanted == "best")
    if (const auto best = checkpoints.best()) return *best;
  if (const auto newest = checkpoints.newest()) return newest->path;
  fail(ErrorCode::file, run.checkpoints().string(),
       " holds no checkpoint yet; wait for the first, or resume the run");
}

fs::path weights_of(const fs::path& path) {
  if (fs::is_directory(path)) return checkpoint_of(RunDirectory::open(path), "best");
  if (!fs::exists(path))
    fail(ErrorCode::file, path.string(),
         " does not exist; expected a run's folder or a safetensors file of weights");
  return path;
}

std::vector<std::string> read_classes(const RunDirectory& run) {
  std::istringstream lines(read_file(run.classes(), Bytes{1} << 26));
  std::vector<std::string> classes;
  for (std::string line; std::getline(lines, line);) classes.push_back(line);
  return classes;
}

void write_classes(const RunDirectory& run, const std::vector<std::string>& classes) {
  std::string lines;
  for (const std::string& name : classes) lines += name + '\n';
  write_file(run.classes(), lines);
}

void TrainedArguments::add_to(CLI::App& command) {
  command.add_option("RUN", run, "A run's folder, such as runs/NAME")->required()->type_name("");
  command.add_option("--data", data, "Other data in place of the run's held-out clips: all of it")
      ->type_name("PATH");
  command.add_option("--set", sets, "section.key=value, over the run's configuration")
      ->type_name("KEY=VALUE")
      ->expected(1)
      ->take_all()
      ->allow_extra_args(false);
  command.add_option("--device", device, "What computes: cpu, cuda or cuda:N; without: the run's")
      ->type_name("DEVICE");
  command.add_option("--checkpoint", checkpoint, "best, last or a file")
      ->type_name("WHICH")
      ->capture_default_str();
}

Trained::Trained(const TrainedArguments& arguments) : run(RunDirectory::open(arguments.run)) {
  std::vector<std::string> sets;
  if (!arguments.device.empty()) sets.push_back("train.device=" + arguments.device);
  config = resolve_resumed(run.config(), sets);
  apply(config, arguments.sets);
  as_trained_ = arguments.sets.empty();
  open_device(config.train);
  checkpoint = checkpoint_of(run, arguments.checkpoint);
  const Compiled compiled = compile_evaluation(config, 1);
  parameters = std::make_unique<Parameters>(compiled.plan->graph(), false, device_of(config.train));
  step = load_weights(checkpoint, *parameters).step;
  if (arguments.data.empty()) {
    clips = data().held_out;
    if (!clips)
      fail(ErrorCode::config, run.path().string(),
           " holds nothing out (data.held_out is 0); give clips with --data");
  } else {
    Config other = config;
    other.data.path = arguments.data;
    other.data.held_out_path.clear();
    other.data.held_out = 1;
    const Split parts = open_data(other, !other.task.classifies());
    note_left_out(parts);
    clips = parts.held_out;
  }
}

const Split& Trained::data() {
  if (!data_) {
    data_ = open_data(config, !config.task.classifies());
    note_left_out(*data_);
  }
  return *data_;
}

std::vector<std::string> Trained::note_bad() const {
  std::vector<std::string> bad = bad_clips(*clips);
  for (const std::string& message : bad)
    ProgressLine().note("bad, another takes its place: " + message);
  return bad;
}

std::optional<std::vector<float>> Trained::mean() {
  if (auto mean = load_mean_clip(run, clips->shape())) return mean;
  const bool drawn = config.data.kind == "digits" || config.data.kind == "moving-digits";
  if (!as_trained_ || (config.data.path.empty() && !drawn)) return std::nullopt;
  return make_mean_clip(run, *plain_training(data(), config));
}

std::optional<std::vector<float>> load_mean_clip(const RunDirectory& run, const Shape& shape) {
  if (!fs::exists(run.mean_clip())) return std::nullopt;
  const SafetensorsFile file(run.mean_clip());
  if (const SafetensorsEntry* entry = file.find("mean"); entry && entry->shape != shape)
    return std::nullopt;  // of clips of another size
  std::vector<float> mean(static_cast<std::size_t>(shape.size()));
  file.read("mean", {mean.data(), DType::f32, shape});
  return mean;
}

std::vector<float> make_mean_clip(const RunDirectory& run, const Dataset& train) {
  std::vector<float> mean = mean_clip(train, mean_clips);
  try {
    write_safetensors(run.mean_clip(), {{"mean", {mean.data(), DType::f32, train.shape()}}});
  } catch (const Error& error) {  // it can be made again
    ProgressLine().note(text("the mean clip is not kept: ", error.what()));
  }
  return mean;
}

}  // namespace framefold

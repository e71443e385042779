// framefold convert IN --to FORMAT --out OUT
#include <filesystem>

#include "cli/command.h"
#include "cli/parts.h"
#include "cli/print.h"
#include "cli/trained.h"
#include "cli/videomae_config.h"
#include "engine/checkpoint.h"
#include "io/file.h"
#include "io/safetensors.h"
#include "models/videomae.h"
#include "models/videomae_weights.h"

namespace framefold {
namespace {

namespace fs = std::filesystem;

struct Arguments {
  std::string in, to, out, checkpoint = "best";
  std::vector<std::string> sets;
  bool json = false;
};

struct Weights {
  Config config;
  std::vector<std::string> classes;  // of a classifier
  ModelOptions options;              // numbers in the place of a size
  std::unique_ptr<Parameters> parameters;
};

// The graph that holds the weights; it is never run.
Graph graph_of(const Config& config, const ModelOptions& options) {
  Graph graph(Mode::evaluate);
  ClassifierOptions classifier = config.task.classifier;
  classifier.freeze = false;  // what is frozen is no parameter
  if (config.task.classifies())
    build_classifier(graph, options, classifier, 1);
  else
    build_model(graph, options, 1);
  return graph;
}

void make_folder(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error)
    fail(ErrorCode::file, "cannot create the folder ", path.string(), ": ", error.message(),
         "; choose another --out");
}

// Learned positions belong to a grid of tokens: another clip or patch has another one.
void fill_positions(const Parameters& from, const Extents& old, const Parameters& to,
                    const Extents& grid) {
  const Tensor stored = to.value("encoder.positions");
  const std::vector<float> made =
      interpolated_positions(from.value("encoder.positions"), old, grid);
  std::ranges::copy(made, stored.as<float>());
}

Weights read_run(const Arguments& arguments) {
  const RunDirectory run = RunDirectory::open(arguments.in);
  Weights weights{.config = resolve_resumed(run.config(), {})};
  if (weights.config.model.name != "videomae")
    fail(ErrorCode::config, arguments.in, " holds a ", weights.config.model.name,
         ", convert is for videomae");
  const ModelOptions old = videomae_options(model_options(weights.config));
  if (weights.config.task.classifies()) weights.classes = read_classes(run);
  auto parameters = std::make_unique<Parameters>(graph_of(weights.config, old), false);
  load_weights(checkpoint_of(run, arguments.checkpoint), *parameters);
  apply(weights.config, arguments.sets);
  weights.options = videomae_options(model_options(weights.config));
  weights.parameters =
      std::make_unique<Parameters>(graph_of(weights.config, weights.options), false);
  for (const Parameters::Entry& entry : weights.parameters->entries()) {
    const Tensor to = weights.parameters->value(entry.name);
    const Tensor from = parameters->value(entry.name);
    if (entry.name == "encoder.positions")
      fill_positions(*parameters, videomae_mask(old).grid, *weights.parameters,
                     videomae_mask(weights.options).grid);
    else if (!(from.shape == to.shape))
      fail(ErrorCode::config, "--set: ", entry.name, " would be ", to.shape, ", but is ",
           from.shape, "; change the clip's shape alone");
    else
      std::copy_n(from.as<float>(), from.size(), to.as<float>());
  }
  return weights;
}

Weights read_foreign(const Arguments& arguments) {
  const fs::path in = arguments.in;
  const fs::path file_path = fs::is_directory(in) ? in / "model.safetensors" : in;
  const fs::path config_path = file_path.parent_path() / "config.json";
  const SafetensorsFile file(file_path);
  const bool transformers = weight_names(file) == WeightNames::transformers;
  if (transformers && !fs::exists(config_path))
    fail(ErrorCode::file, "there is no ", config_path.string(),
         ", which says how many heads the weights have; put transformers' beside them");
  const ForeignConfig foreign = transformers ? read_videomae_config(config_path, classes_in(file))
                                             : guess_videomae_config(file, file_path);
  Weights weights;
  Config& config = weights.config;
  config.model = foreign.model;
  weights.classes = foreign.classes;
  if (!foreign.classes.empty()) {
    config.task.kind = "classify";
    config.task.classifier.classes = static_cast<Index>(foreign.classes.size());
  }
  config.data.kind = "videos";
  config.data.frames = foreign.model.clip.frames;
  config.data.height = foreign.model.clip.height;
  config.data.width = foreign.model.clip.width;
  config.data.channels = foreign.model.clip.channels;
  apply(config, arguments.sets);
  weights.options = videomae_options(model_options(config));
  const Graph graph = graph_of(config, weights.options);
  const ForeignWeights checked(file, file_path, graph, weights.options);
  weights.parameters = std::make_unique<Parameters>(graph, false);
  checked.read(*weights.parameters);
  return weights;
}

void write_run(Weights& weights, const fs::path& out) {
  Config& config = weights.config;
  config.run.directory = out.parent_path().string();
  config.run.name = out.filename().string();
  if (fs::exists(out))
    fail(ErrorCode::file, out.string(), " exists; choose another --out, or remove it");
  const std::string toml = to_toml(config, version_text());  // an Error before anything is written
  const RunDirectory run = RunDirectory::create(config, false);
  std::vector<NamedView> views;
  for (const Parameters::Entry& entry : weights.parameters->entries())
    views.push_back({entry.name, weights.parameters->value(entry.name)});
  write_safetensors(run.checkpoints() / "step-00000000.safetensors", views);
  if (config.task.classifies()) write_classes(run, weights.classes);
  write_file(run.config(), toml);
}

void write_foreign(const Weights& weights, const fs::path& out, WeightNames names) {
  const ClassifierOptions& head = weights.config.task.classifier;
  if (weights.config.task.classifies() && (head.head != "linear" || head.pool != "mean"))
    fail(ErrorCode::config, "task.head is ", head.head, " and task.pool ", head.pool,
         "; others' classifiers have a linear head on the mean of the tokens");
  if (weights.config.task.classifies() && weights.options.encoder_norm)
    fail(ErrorCode::config,
         "model.encoder_norm is true, but others' classifiers normalise the mean "
         "of the tokens alone; fine-tune with model.encoder_norm=false");
  if (names == WeightNames::original && !weights.config.task.classifies() &&
      !weights.options.encoder_norm)
    fail(ErrorCode::config,
         "model.encoder_norm is false, but the paper's pre-training always normalises the "
         "encoder's tokens; export to transformers");
  make_folder(out);
  const auto tensors = foreign_weights(*weights.parameters, weights.options, names);
  std::vector<NamedView> views;
  for (const NamedNumbers& tensor : tensors)
    views.push_back({tensor.name, {tensor.numbers.data(), DType::f32, tensor.shape}});
  write_safetensors(out / "model.safetensors", views, {{"format", "pt"}});
  if (names == WeightNames::original) return;
  write_file(out / "config.json", videomae_config(weights.options, weights.classes).dump(2) + '\n');
  write_file(out / "preprocessor_config.json",
             videomae_preprocessor(weights.options).dump(2) + '\n');
}

// What the other side computes differently, for want of an option.
std::vector<std::string> differences(const ModelOptions& options, const std::string& to) {
  std::vector<std::string> notes;
  const double expected = to == "transformers" ? 1e-5 : 1e-6;
  if (to != "framefold" && options.final_epsilon != expected)
    notes.push_back(text("the last norm adds ", options.final_epsilon, " here, ", expected,
                         " there: outputs differ a little"));
  if (to == "original" && options.norm_epsilon != expected)
    notes.push_back(text("norms add ", options.norm_epsilon, " here, ", expected,
                         " there: outputs differ a little"));
  if (to == "transformers" && options.input != "imagenet")
    notes.push_back(
        "pixels are fed from 0 to 1 (do_normalize is false), but transformers' loss takes them "
        "for normalised ones: its outputs hold, its loss does not");
  return notes;
}

void run(const Arguments& arguments) {
  const bool is_run = fs::is_regular_file(fs::path(arguments.in) / "config.toml");
  Weights weights = is_run ? read_run(arguments) : read_foreign(arguments);
  fs::path out = fs::absolute(arguments.out).lexically_normal();
  if (!out.has_filename()) out = out.parent_path();
  if (arguments.to == "framefold")
    write_run(weights, out);
  else
    write_foreign(weights, out,
                  arguments.to == "original" ? WeightNames::original : WeightNames::transformers);
  const std::vector<std::string> notes = differences(weights.options, arguments.to);
  const Index count = weights.parameters->count();
  if (arguments.json)
    return print(Json{{"out", out.string()}, {"parameters", count}, {"notes", notes}});
  print(text(out.string(), ": ", count, " parameters\n"));
  for (const std::string& note : notes) print("note: " + note + '\n');
}

}  // namespace

void add_convert(CLI::App& app) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = subcommand(
      app, "convert", "Read and write VideoMAE's weights as transformers or the paper's code do",
      "  framefold convert videomae-base --to framefold --out runs/base       a folder with "
      "model.safetensors and config.json\n"
      "  framefold convert checkpoint.safetensors --to framefold --out runs/base   the original "
      "names (scripts/pth-to-safetensors makes such files)\n"
      "  framefold convert runs/base --to transformers --out exported\n"
      "  framefold convert runs/base --to framefold --out runs/long --set data.frames=32   another "
      "shape of clips\n",
      arguments->json);
  command->add_option("IN", arguments->in, "A run's folder, a folder of transformers', a file")
      ->required()
      ->type_name("");
  command->add_option("--to", arguments->to, "framefold, transformers or original")
      ->required()
      ->check(CLI::IsMember({"framefold", "transformers", "original"}))
      ->type_name("FORMAT");
  command->add_option("--out", arguments->out, "The new folder; for framefold a run's")
      ->required()
      ->type_name("DIR");
  command->add_option("--checkpoint", arguments->checkpoint, "Of a run: best, last or a file")
      ->type_name("WHICH")
      ->capture_default_str();
  command->add_option("--set", arguments->sets, "section.key=value, over what the weights say")
      ->type_name("KEY=VALUE")
      ->expected(1)
      ->take_all()
      ->allow_extra_args(false);
  command->callback([arguments] { run(*arguments); });
}

}  // namespace framefold

// A run's configuration: one table of keys, from which reading, writing, help and messages derive.
//
// Values come from, each over the one before: the defaults; a preset or a TOML file, which may say
// `preset = "NAME"` as its base; variables FRAMEFOLD_SECTION_KEY of the environment; --set
// section.key=value. An unknown key, a wrong type or a value out of range is Error(config) with
// its place and, for keys, the nearest known one.
#pragma once

#include <filesystem>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "io/augment.h"
#include "io/mix.h"
#include "models/classifier.h"

namespace framefold {

struct RunConfig {
  std::string name;  // empty until resolved: the preset's or the file's
  std::string directory = "runs";
};

struct DataConfig {
  std::string kind = "digits";
  std::string path;
  std::string held_out_path;
  std::string list_format;
  std::string list_root;
  std::string sampling = "dense";
  Index step = 0;
  Index test_clips = 1;
  Index test_crops = 1;
  Index frames = 1;
  Index height = 28;
  Index width = 28;
  Index channels = 1;
  Index stride = 1;
  double fps = 0;
  Index clips = 10000;
  Index digits = 2;
  double speed = 3.6;
  bool directions = false;
  double held_out = 0.1;
  std::string on_bad = "fail";
  Index bad_budget = 0;
  bool isolate = false;
  std::string hardware = "off";
  Index cache_mib = 1024;
  Index seed = 0;
  Index repeats = 1;
  Index workers = 1;
  Index prefetch = 2;
};

struct AugmentConfig {
  std::string crop = "none";
  Augmentation values;  // its crop apart
  Mixing mixing;
};

struct TaskConfig {
  std::string kind = "reconstruct";
  std::string from;
  ClassifierOptions classifier;
  double smoothing = 0;

  bool classifies() const { return kind == "classify"; }
};

struct TrainConfig {
  Index seed = 0;
  Index batch = 32;
  Index steps = 1000;
  Index epochs = 0;
  double seconds = 0;
  Index accumulate = 1;
  bool recompute = false;
  std::string optimizer = "adam";
  double learning_rate = 1e-3;
  double layer_decay = 1;
  double momentum = 0;
  bool nesterov = false;
  double smoothing = 0.99;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;
  double clip = 0;
  double average = 0;
  std::string schedule = "constant";
  Index warmup = 0;
  double minimum_rate = 0;
  Index decay_every = 0;
  double decay_factor = 0.1;
  std::string device = "cpu";
  Index threads = 0;
  std::string path = "automatic";
  Index log_every = 10;
  Index evaluate_every = 500;
  Index evaluate_clips = 256;
  Index save_every = 500;
  Index keep = 3;
  Index max_skipped = 0;
};

struct Config {
  RunConfig run;
  DataConfig data;
  AugmentConfig augment;
  Augmentation corrupt;  // of what the model is fed, alone
  ModelOptions model;
  TaskConfig task;
  TrainConfig train;
};

using Field = std::variant<std::string*, Index*, double*, bool*, std::vector<Index>*>;

struct Key {
  std::string_view name;  // "train.batch"
  Field (*field)(Config&);
  std::string_view doc;      // one sentence
  std::string_view choices;  // texts: the allowed ones, joined by '|'; empty: any
  double minimum = -std::numeric_limits<double>::infinity();
  double maximum = std::numeric_limits<double>::infinity();
  bool on_resume = false;  // may change when a run continues
};

std::span<const Key> keys();                             // in the order of config.toml
std::string_view type_name(const Key& key);              // text, integer, number, ...
std::string value_text(const Key& key, Config& config);  // as TOML writes it
std::string described(const Key& key);                   // its doc with its choices
std::string variable_name(const Key& key);               // FRAMEFOLD_TRAIN_BATCH

struct Preset {
  std::string_view name, text;
  std::string_view summary() const;  // its first line, a comment
};
std::span<const Preset> presets();

struct ConfigSources {
  std::string file;  // a preset's name or a file's path
  std::vector<std::string>
      environment;                // NAME=value; others than FRAMEFOLD_SECTION_... are skipped
  std::vector<std::string> sets;  // section.key=value
};
Config resolve(const ConfigSources& sources);
std::vector<std::string> process_environment();
void apply(Config& config, const std::vector<std::string>& sets);

// A run's config.toml with changes; Error(config) where a key may not change.
Config resolve_resumed(const std::filesystem::path& file, const std::vector<std::string>& sets);

// Every key with its value and, as a comment, its meaning.
std::string to_toml(const Config& config, std::string_view heading = {});

}  // namespace framefold

// runs/NAME/, where a run keeps all that it makes:
//
//   config.toml        the resolved configuration
//   environment.json   version, machine, threads, libraries
//   metrics.csv, .jsonl, events.out.tfevents.*   numbers by step
//   checkpoints/       safetensors: the last ones and the best
//   samples/           pictures of held-out clips at evaluations
//   mean_clip.safetensors   the training data's mean clip, a baseline
//   paths.safetensors  which path each operation takes, where that was measured
//   classes.txt        a classifier's classes, one a line
//   results.json       the last evaluation beside its baselines
//   trace.json         with --profile: a mean step for trace viewers
//   report.html        everything to look at, in one file
//
// One process at a time trains in a folder: it holds a lock that ends with it.
#pragma once

#include <filesystem>
#include <string>

#include "cli/config.h"
#include "io/file.h"

namespace framefold {

class RunDirectory {
 public:
  // A new one. An existing one is an Error, or, with `overwrite`, removed first if it holds a run.
  static RunDirectory create(const Config& config, bool overwrite);
  // Removes the folder of a run that ended before its first file.
  static void remove_untouched(const std::filesystem::path& path);
  // An existing one, to go on training in it.
  static RunDirectory resume(const std::filesystem::path& path);
  // An existing one, to read; no lock.
  static RunDirectory open(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path config() const { return path_ / "config.toml"; }
  std::filesystem::path environment() const { return path_ / "environment.json"; }
  std::filesystem::path checkpoints() const { return path_ / "checkpoints"; }
  std::filesystem::path samples() const { return path_ / "samples"; }
  std::filesystem::path results() const { return path_ / "results.json"; }
  std::filesystem::path trace() const { return path_ / "trace.json"; }
  std::filesystem::path report() const { return path_ / "report.html"; }
  std::filesystem::path paths() const { return path_ / "paths.safetensors"; }
  std::filesystem::path classes() const { return path_ / "classes.txt"; }
  std::filesystem::path mean_clip() const { return path_ / "mean_clip.safetensors"; }

 private:
  explicit RunDirectory(std::filesystem::path path) : path_(std::move(path)) {}
  void lock();

  std::filesystem::path path_;
  Descriptor lock_;
};

// Version, commit, compiler, processor, threads and libraries, as environment.json has them.
std::string environment_json(int threads, double first_step_ms);
std::string processor_name();
std::string version_text();  // "framefold 0.1.0 (commit)"

}  // namespace framefold

// A run's state in one safetensors file.
//
//   NAME                     parameters and buffers, f32
//   optimizer.STATE/NAME     the optimiser's state, f32
//   ema/NAME                 the weights' moving average, f32, where one is kept
//   metadata                 "framefold.": version, hash, and the fields of Counters; "optimizer"
//                            and its "updates"
//
// Files are written whole or not at all and synced (io/file.h); the hash of the content is verified
// before anything is read into the model. Random numbers, order of data and learning rate are
// functions of seed and step: nothing else needs storing.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "engine/optimizer.h"
#include "engine/parameters.h"

namespace framefold {

// How far a run has come.
struct Counters {
  std::uint64_t seed = 0;
  Index step = 0;                // steps done, skipped ones included
  Index epoch = 0;               // of the last batch taken
  Index skipped = 0;             // steps without an update, for numbers that were not finite
  std::optional<double> metric;  // of an evaluation at this very step; smaller is better
  std::optional<double> best;    // the smallest metric of the run so far
  std::string config;            // the resolved configuration's text

  bool operator==(const Counters&) const = default;
};

void save_checkpoint(const std::filesystem::path& path, const Parameters& parameters,
                     const Optimizer& optimizer, const Counters& counters);

// Restores a run. Error(format) where the file is damaged; Error(shape) where its tensors are not
// exactly those of the model and the optimiser: unknown, missing and misshapen ones are listed;
// Error(config) where another kind of optimiser wrote it. Then nothing has been changed.
Counters load_checkpoint(const std::filesystem::path& path, Parameters& parameters,
                         Optimizer& optimizer);

// Parameters and buffers alone, for evaluation; the moving average in the weights' place where the
// file has one and `average` is true. Also reads files without Framefold's metadata.
Counters load_weights(const std::filesystem::path& path, Parameters& parameters,
                      bool average = true);

// First weights from another model: every tensor that file and parameters have under one name and
// in one shape, the moving average where the file has one. Returns the names of those left as they
// are. Error(shape) where one of the encoder's ("encoder. ...") is missing or misshapen here or
// there: they are listed, and nothing has been changed. "encoder.norm. ..." may be the file's
// alone: a classifier that pools tokens normalises afterwards.
std::vector<std::string> load_initial(const std::filesystem::path& path, Parameters& parameters);

// Reads the counters alone; the content is not verified.
Counters read_counters(const std::filesystem::path& path);

// The checkpoints of one run: DIRECTORY/step-00001000.safetensors. Of these the last `keep` stay,
// and the one with the smallest metric. One process writes; any number may read.
class Checkpoints {
 public:
  explicit Checkpoints(std::filesystem::path directory, int keep = 3);

  // Writes, then removes what need not stay: older files, files of later steps (damaged ones that
  // newest() passed over) and leftovers of killed processes. Fails without touching older files.
  std::filesystem::path save(const Parameters& parameters, const Optimizer& optimizer,
                             const Counters& counters);

  struct Found {
    std::filesystem::path path;
    std::vector<std::string> damaged;  // newer files that were passed over, and why
  };
  // The newest undamaged file, if there is any file; Error(format) where all are damaged.
  std::optional<Found> newest() const;
  // The undamaged file with the smallest metric; none where no evaluation has been saved.
  std::optional<std::filesystem::path> best() const;

  const std::filesystem::path& directory() const { return directory_; }

 private:
  std::vector<std::filesystem::path> files() const;  // by falling step

  std::filesystem::path directory_;
  int keep_;
};

}  // namespace framefold

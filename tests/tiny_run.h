// A run small enough for thousands of steps a second, with all that makes runs hard to repeat:
// noise, dropout, running statistics, random reading, epochs that end within a run.
#pragma once

#include <filesystem>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/train.h"
#include "io/loader.h"

namespace framefold::test {

// Twenty-six samples of six numbers; which way round they are read is random.
class TinyData final : public Dataset {
 public:
  Index size() const override { return 26; }
  Shape shape() const override { return {1, 1, 1, 6}; }
  std::string name(Index index) const override { return text("sample-", index, ".png"); }
  std::string description() const override { return "numbers"; }

 private:
  void do_read(Index index, Random random, Tensor clip) const override;
};

// Batches of four: six an epoch. Where spoilt, the batch's first number is none (NaN); where
// unreadable, it is an Error.
class TinySource final : public BatchSource {
 public:
  TinySource(std::uint64_t seed, int workers);
  void seek(Index batch) override { loader_.seek(next_ = batch); }
  Batch next(std::span<const Tensor> inputs) override;
  std::vector<std::string> names() const override { return loader_.names(batch_); }

  std::vector<Index> spoilt, unreadable;

 private:
  Loader loader_;
  Index next_ = 0;
  framefold::Batch batch_;
};

struct TinyOptions {
  OptimizerOptions optimizer = {};
  TrainOptions train = {.seed = 7, .steps = 20, .schedule = {.rate = 0.01}};
  int workers = 0;
  int threads = 1;
  Device device;
};

Value tiny_model(Graph& graph);  // its loss

class TinyRun {
 public:
  // Initialised; without a directory it saves nothing.
  explicit TinyRun(const TinyOptions& options = {}, const std::filesystem::path& directory = {});

  Ending run(const TrainHooks& hooks = {});
  // Continues from the newest checkpoint, if there is one.
  bool resume();
  // All that the run has learnt, weights and buffers.
  std::vector<float> learnt() const;
  // What the optimiser remembers, the weights' average included.
  std::vector<float> remembered() const;

  Graph graph;
  Value loss;
  Parameters parameters;
  Executor executor;
  Optimizer optimizer;
  TinySource source;
  std::optional<Checkpoints> checkpoints;
  Trainer trainer;
  std::vector<StepRecord> records;
};

// What the test program does under this option: a long run in the directory after it, for the tests
// that kill one. Returns what to exit with.
inline constexpr const char* train_option = "--train-in";
int train_in(const std::filesystem::path& directory);

}  // namespace framefold::test

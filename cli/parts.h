// From a configuration to the parts of a run.
#pragma once

#include <memory>
#include <vector>

#include "cli/config.h"
#include "engine/batches.h"
#include "engine/optimizer.h"
#include "engine/plan.h"
#include "engine/schedule.h"
#include "io/corrupt.h"
#include "io/dataset.h"
#include "io/loader.h"
#include "io/mix.h"

namespace framefold {

// Training clips are augmented. Damaged held-out ones are replaced by others where data.on_bad says
// so; without `replacing`, for what is known of each single clip, they stay.
Split open_data(const Config& config, bool replacing = true);
// Its training clips without augmentation, bad ones replaced where the configuration says so.
std::shared_ptr<const Dataset> plain_training(const Split& data, const Config& config);
// What is wrong with each bad clip that another replaced, so far, in a dataset of those two.
std::vector<std::string> bad_clips(const Dataset& dataset);
Augmentation augmentation_of(const AugmentConfig& augment);
// Mixes the clips of the batch of a step, and their labels [B, classes], where that is wanted.
void mix_batch(const Mixing& mixing, std::uint64_t seed, Index step, Tensor clips,
               float* labels = nullptr, Index classes = 0);
BadSamples bad_samples(const DataConfig& data);
LoaderOptions loader_options(const Config& config);  // of training

Stream stream_of(const TrainConfig& train);
Device device_of(const TrainConfig& train);
// Error(unavailable) where this build or machine lacks it; else its name for summaries.
std::string open_device(const TrainConfig& train);
ModelOptions model_options(const Config& config);  // with the data's clips
OptimizerOptions optimizer_options(const TrainConfig& train);
Schedule schedule_of(const TrainConfig& train, Index steps);

// The model for one batch size, in a graph and its plan. Of a classifier `model` has the clip, its
// features as the code, and the loss.
struct Compiled {
  Autoencoder model;
  Value probabilities;  // classify: [B, classes]
  std::shared_ptr<const Plan> plan;
  Index batch = 0;
};
Compiled compile_training(const Config& config, Index batch);
Compiled compile_evaluation(const Config& config, Index batch);  // fetches all of them

// The names of the classes of both parts; Error(config) where there are none, where they differ, or
// where they are not as many as task.classes, if that is set.
std::vector<std::string> classes_of(const Config& config, const Split& data);
// Writes a sample's class as a distribution; Error(config) where it has none.
void write_label(const Dataset& dataset, Index sample, double smoothing, std::span<float> label);

// The batch sizes of the plans that evaluate `clips` clips, 0 for any number: the batch, and the
// rest where it does not divide them.
std::vector<Index> evaluation_batches(Index batch, Index clips);

// A loader as the training loop sees it: fills the input "clip", and "target" where clips are
// corrupted.
class LoaderSource final : public BatchSource {
 public:
  // With smoothed labels where the last input takes them: where `classes` is above 0.
  LoaderSource(const std::shared_ptr<const Dataset>& dataset, const LoaderOptions& options,
               const Mixing& mixing = {}, Index classes = 0, double smoothing = 0,
               const Augmentation& corruption = {})
      : dataset_(dataset),
        loader_(
            changes(corruption) ? paired(dataset, corruption, CorruptionDraw::by_random) : dataset,
            options),
        seed_(options.seed),
        mixing_(mixing),
        classes_(classes),
        smoothing_(smoothing),
        pairs_(changes(corruption) ? loader_.type().bytes() : 0) {}

  void seek(Index batch) override { loader_.seek(batch); }
  Batch next(std::span<const Tensor> inputs) override {
    const Tensor pairs{pairs_.data(), DType::u8, loader_.type().shape};
    const Tensor read = pairs_.empty() ? inputs.front() : pairs;
    batch_ = loader_.next(read);
    float* labels = classes_ > 0 ? label(inputs.back()) : nullptr;
    mix_batch(mixing_, seed_, batch_.step, read, labels, classes_);
    if (!pairs_.empty()) unpair(pairs, inputs[0], inputs[1]);
    return {.epoch = batch_.epoch, .samples = std::ssize(batch_.samples)};
  }
  std::vector<std::string> names() const override { return loader_.names(batch_); }

  const Loader& loader() const { return loader_; }
  void count_bad_from(Index before) { loader_.count_bad_from(before); }

 private:
  float* label(Tensor labels) const {
    auto* rows = labels.as<float>();
    for (std::size_t i = 0; i < batch_.samples.size(); ++i)
      write_label(*dataset_, batch_.samples[i], smoothing_,
                  {rows + static_cast<Index>(i) * classes_, static_cast<std::size_t>(classes_)});
    return rows;
  }

  std::shared_ptr<const Dataset> dataset_;
  Loader loader_;
  std::uint64_t seed_;
  Mixing mixing_;
  Index classes_;
  double smoothing_;
  std::vector<std::uint8_t> pairs_;  // as they are read; empty where nothing is corrupted
  framefold::Batch batch_;
};

}  // namespace framefold

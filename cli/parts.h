// From a configuration to the parts of a run.
#pragma once

#include <memory>
#include <vector>

#include "cli/config.h"
#include "engine/batches.h"
#include "engine/optimizer.h"
#include "engine/plan.h"
#include "engine/schedule.h"
#include "io/dataset.h"
#include "io/loader.h"
#include "io/mix.h"

namespace framefold {

Split open_data(const Config& config);  // training clips augmented
Augmentation augmentation_of(const AugmentConfig& augment);
// Mixes the clips of the batch of a step, where that is wanted.
void mix_batch(const Mixing& mixing, std::uint64_t seed, Index step, Tensor clips);
LoaderOptions loader_options(const Config& config);  // of training

Stream stream_of(const TrainConfig& train);
ModelOptions model_options(const Config& config);  // with the data's clips
OptimizerOptions optimizer_options(const TrainConfig& train);
Schedule schedule_of(const TrainConfig& train, Index steps);

// The model for one batch size, in a graph and its plan.
struct Compiled {
  Autoencoder model;
  std::shared_ptr<const Plan> plan;
  Index batch = 0;
};
Compiled compile_training(const Config& config, Index batch);
Compiled compile_evaluation(const Config& config, Index batch);  // fetches code, reconstruction

// The batch sizes of the plans that evaluate `clips` clips, 0 for any number: the batch, and the
// rest where it does not divide them.
std::vector<Index> evaluation_batches(Index batch, Index clips);

// A loader as the training loop sees it.
class LoaderSource final : public BatchSource {
 public:
  LoaderSource(std::shared_ptr<const Dataset> dataset, const LoaderOptions& options,
               const Mixing& mixing = {})
      : loader_(std::move(dataset), options), seed_(options.seed), mixing_(mixing) {}

  void seek(Index batch) override { loader_.seek(batch); }
  Batch next(std::span<const Tensor> inputs) override {
    batch_ = loader_.next(inputs.front());
    mix_batch(mixing_, seed_, batch_.step, inputs.front());
    return {.epoch = batch_.epoch, .samples = batch_.count};
  }
  std::vector<std::string> names() const override { return loader_.names(batch_); }

  const Loader& loader() const { return loader_; }

 private:
  Loader loader_;
  std::uint64_t seed_;
  Mixing mixing_;
  framefold::Batch batch_;
};

}  // namespace framefold

// From a configuration to the parts of a run.
#pragma once

#include <memory>
#include <vector>

#include "cli/config.h"
#include "engine/loader_source.h"
#include "engine/optimizer.h"
#include "engine/plan.h"
#include "engine/schedule.h"

namespace framefold {

// Training clips are augmented. Damaged held-out ones are replaced by others where data.on_bad says
// so; without `replacing`, for what is known of each single clip, they stay.
Split open_data(const Config& config, bool replacing = true);
// Its training clips without augmentation, bad ones replaced where the configuration says so.
std::shared_ptr<const Dataset> plain_training(const Split& data, const Config& config);
// What is wrong with each bad clip that another replaced, so far, in a dataset of those two.
std::vector<std::string> bad_clips(const Dataset& dataset);
Augmentation augmentation_of(const AugmentConfig& augment);
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

// The batch sizes of the plans that evaluate `clips` clips, 0 for any number: the batch, and the
// rest where it does not divide them.
std::vector<Index> evaluation_batches(Index batch, Index clips);

}  // namespace framefold

// How well a model reconstructs clips, and what a model that has learnt nothing but the mean would
// reach.
//
// Pixels count from 0 to 1; reconstructions are clamped to that range, as a picture is. A clip's
// PSNR is 10 log10(1 / MSE) dB over all of its pixels, MSE at least 1e-10; a set's PSNR is the mean
// over its clips.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

#include "cli/parts.h"
#include "engine/executor.h"

namespace framefold {

struct Quality {
  Index clips = 0;
  double mse = 0;
  double psnr = 0;

  static Quality of_clip(double mse);
  Quality& operator+=(const Quality& other);  // the means over both sets
};

// The same clip predicted for all.
struct Baselines {
  Quality mean_frame;      // the training data's mean clip: every pixel its mean over the clips
  Quality own_mean_frame;  // each clip's own mean over time; no clips where T = 1
};

// The mean of `count` clips, spread evenly over the dataset.
std::vector<float> mean_clip(const Dataset& dataset, Index count);
Baselines baselines(const Dataset& held_out, Index clips, const std::vector<float>& mean);

struct HeldOut {
  Quality quality;
  double loss = 0;  // mean over clips
};

// A model's forward pass over the first clips of a dataset, in their order. Its arena is held while
// it runs only.
class Evaluator {
 public:
  // `clips` 0: all of them. `parameters` must hold the evaluation graph's.
  Evaluator(const Config& config, std::shared_ptr<const Dataset> dataset, Index clips,
            Parameters& parameters);

  struct Sample {
    Index index = 0;
    const std::uint8_t* clip = nullptr;     // [T, H, W, C]
    const float* code = nullptr;            // as the model shapes it
    const float* reconstruction = nullptr;  // [T, H, W, C]
    Quality quality;
  };
  HeldOut run(const std::function<void(const Sample&)>& each = {});

  Index clips() const { return clips_; }
  Index code_size() const { return code_size_; }

 private:
  void run(const Compiled& compiled, Index first, Index last, HeldOut& total,
           const std::function<void(const Sample&)>& each);

  std::shared_ptr<const Dataset> dataset_;
  Parameters& parameters_;
  Index clips_ = 0, code_size_ = 0, clip_size_ = 0;
  std::vector<Compiled> plans_;  // of the batch, of the rest
};

// The clips an evaluator takes of a dataset: `wanted`, 0 for all, or as many as there are.
Index clips_of(const Dataset& dataset, Index wanted);

}  // namespace framefold

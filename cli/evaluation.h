// How well a model reconstructs clips, and what a model that has learnt nothing but the mean would
// reach.
//
// Measures of frames are io/quality.h's. A clip's MSE is over all of its pixels and its PSNR
// follows from that, its SSIM is the mean over its frames; a set's measures are the means over its
// clips.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

#include "cli/parts.h"
#include "engine/executor.h"
#include "io/draw.h"
#include "io/quality.h"

namespace framefold {

struct Quality {
  Index clips = 0;
  double mse = 0;
  double psnr = 0;
  double ssim = 0;  // NaN where frames are too small for it

  static Quality of_clip(const std::vector<FrameQuality>& frames);
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
  Quality fed;  // of the corrupted clips themselves; no clips where nothing is corrupted
  std::vector<FrameQuality> frames, fed_frames;  // by time: the means over clips
  double loss = 0;                               // mean over clips
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
    const std::uint8_t* clip = nullptr;     // [T, H, W, C], clean
    Seen seen;                              // corrupted or masked; without data: the clip itself
    const float* code = nullptr;            // as the model shapes it
    const float* reconstruction = nullptr;  // [T, H, W, C]
    std::vector<FrameQuality> frames, fed_frames;
    Quality quality;
  };
  HeldOut run(const std::function<void(const Sample&)>& each = {});

  Index clips() const { return clips_; }
  Index code_size() const { return code_size_; }
  const std::string& caveat() const { return plans_.front().model.caveat; }  // see Autoencoder

 private:
  void run(const Compiled& compiled, Index first, Index last, HeldOut& total,
           const std::function<void(const Sample&)>& each);

  std::shared_ptr<const Dataset> dataset_, pairs_;  // clean; corrupted beside clean, or null
  Parameters& parameters_;
  Index clips_ = 0, code_size_ = 0, clip_size_ = 0;
  std::vector<Compiled> plans_;  // of the batch, of the rest
};

// The clips an evaluator takes of a dataset: `wanted`, 0 for all, or as many as there are.
Index clips_of(const Dataset& dataset, Index wanted);

}  // namespace framefold

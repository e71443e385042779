// Videos by number, and the clips that are sampled from them.
//
//   clip   [T, H, W, C]  u8
//
// A video has its frames, upright, of pixels as wide as high. For training a clip's frames and its
// augmentation are drawn, once a video an epoch (windows: once each); for testing each video gives
// `sampling.clips` times `crops` clips, nothing is drawn and nothing augmented.
#pragma once

#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "io/augment.h"
#include "io/dataset.h"
#include "io/sampling.h"

namespace framefold {

class Video {
 public:
  virtual ~Video() = default;
  virtual Index frames() const = 0;  // at least 1
  virtual Index height() const = 0;
  virtual Index width() const = 0;
  virtual double time(Index) const {  // seconds, when a frame is shown; NaN without a clock
    return std::numeric_limits<double>::quiet_NaN();
  }
  virtual double rate() const { return 0; }  // frames a second, the mean; 0: unknown
  // Box `box` of the frames named, in rising order, resized to the clip's [T, H, W, C].
  virtual void read(std::span<const Index> frames, const Box& box, Tensor clip) = 0;
};

class VideoSet {
 public:
  virtual ~VideoSet() = default;
  virtual Index size() const = 0;
  virtual std::string name(Index video) const = 0;
  virtual Index label(Index video) const = 0;
  virtual std::vector<std::string> classes() const { return {}; }  // as Dataset's
  virtual std::string description() const = 0;  // of the whole, without the number of videos
  virtual std::unique_ptr<Video> open(Index video) const = 0;  // from any thread
};

// The names of at least `count` classes: numbers where `names` has none.
inline std::vector<std::string> named_classes(std::vector<std::string> names, Index count) {
  while (static_cast<Index>(names.size()) < count) names.push_back(text(names.size()));
  return names;
}

struct SampledClips {
  Sampling sampling;
  Index height = 112, width = 112, channels = 3;
  bool training = true;
  Index crops = 1;            // of a clip in testing, see crop_of
  Augmentation augmentation;  // in training
};

// Of the videos named, all where `videos` is empty. Windows are counted by opening each video: one
// that is damaged or unreadable is an Error, or left out with a message to `skipped`.
std::shared_ptr<const Dataset> sampled_clips(std::shared_ptr<const VideoSet> set,
                                             std::vector<Index> videos, const SampledClips& options,
                                             std::vector<std::string>* skipped = nullptr);

// Two parts of the set's videos as io/dataset.h's split() makes them of samples: `options` says
// what both are sampled like. With skip_bad, Split::skipped is what was left out.
Split sampled_split(const std::shared_ptr<const VideoSet>& set, double held_out,
                    SampledClips options, bool skip_bad = false);

}  // namespace framefold

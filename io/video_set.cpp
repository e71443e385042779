#include "io/video_set.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <utility>

#include "io/parallel.h"
#include "io/random.h"
#include "kernels/error.h"

namespace framefold {
namespace {

constexpr std::uint64_t sampling_stream = 0x73616d706c696e67;

class Sampled final : public Dataset {
 public:
  Sampled(std::shared_ptr<const VideoSet> set, const std::vector<Index>& videos,
          const SampledClips& options, std::vector<std::string>* skipped)
      : set_(std::move(set)), options_(options) {
    if (options.training && changes(options.augmentation)) augmenter_.emplace(options.augmentation);
    if (options.height < 1 || options.width < 1 || options.crops < 1 ||
        (options.channels != 1 && options.channels != 3))
      fail(ErrorCode::argument, "clips of ", options.height, " x ", options.width, " x ",
           options.channels, ", ", options.crops,
           " crops; expected 1 or 3 channels and at least 1");
    std::vector<Index> clips(videos.size(), clips_in(options.sampling, 1, options.training));
    if (options.sampling.kind == Sampling::Kind::windows) count_windows(videos, clips, skipped);
    const Index crops = options.training ? 1 : options.crops;
    for (std::size_t i = 0; i < videos.size(); ++i)
      for (Index clip = 0; clip < clips[i]; ++clip)
        for (Index crop = 0; crop < crops; ++crop) samples_.push_back({videos[i], clip, crop});
    videos_ = static_cast<Index>(videos.size()) - std::ranges::count(clips, 0);
    if (samples_.empty() && !videos.empty())
      fail(ErrorCode::format, "none of the ", videos.size(),
           " videos can be opened: ", skipped->back());
  }

  Index size() const override { return static_cast<Index>(samples_.size()); }
  Shape shape() const override {
    return {options_.sampling.frames, options_.height, options_.width, options_.channels};
  }
  Index label(Index index) const override { return set_->label(at(index).video); }
  std::vector<std::string> classes() const override { return set_->classes(); }
  Index source(Index index) const override { return at(index).video; }
  std::shared_ptr<const Dataset> plain() const override {
    auto same = std::make_shared<Sampled>(*this);
    same->augmenter_.reset();
    return same;
  }
  double rate(Index index) const override {
    const auto video = set_->open(at(index).video);
    const Sampling& sampling = options_.sampling;
    if (sampling.kind != Sampling::Kind::segments)
      return video->rate() / static_cast<double>(sampling.stride);
    const auto segments = static_cast<double>(sampling.frames);
    return video->rate() * std::min(1.0, segments / static_cast<double>(video->frames()));
  }
  std::string name(Index index) const override {
    const Sample& sample = at(index);
    std::string name = set_->name(sample.video);
    if (!options_.training && options_.sampling.clips > 1) name += text(" clip ", sample.clip);
    if (options_.sampling.kind == Sampling::Kind::windows) name += text(" window ", sample.clip);
    if (!options_.training && options_.crops > 1) name += text(" crop ", sample.crop);
    return name;
  }
  Moment moment(Index index, Random random) const override {
    const auto video = set_->open(at(index).video);
    const std::span<const Index> frames = frames_of(at(index), *video, random);
    return {frames.front(), frames.back(), video->time(frames.front()), video->time(frames.back())};
  }
  std::string description() const override {
    return text(size(), " clips of ", options_.sampling.frames, " frames from ", videos_,
                " videos: ", set_->description(), augmenter_ ? ", augmented" : "");
  }

 private:
  struct Sample {
    Index video, clip, crop;
  };

  void count_windows(const std::vector<Index>& videos, std::vector<Index>& clips,
                     std::vector<std::string>* skipped) const {
    std::vector<std::string> messages(videos.size());
    in_parallel(videos.size(), [&](std::size_t i) {
      clips[i] = 0;
      try {
        const Index frames = set_->open(videos[i])->frames();
        clips[i] = clips_in(options_.sampling, frames, options_.training);
      } catch (const Error& error) {
        const bool damaged = error.code() == ErrorCode::format || error.code() == ErrorCode::file;
        if (skipped == nullptr || !damaged) throw;
        messages[i] = error.what();
      }
    });
    for (std::string& message : messages)
      if (!message.empty()) skipped->push_back(std::move(message));
  }

  std::span<const Index> frames_of(const Sample& sample, const Video& video, Random random) const {
    thread_local std::vector<Index> frames;
    frames.resize(static_cast<std::size_t>(options_.sampling.frames));
    Draws draws({random.seed, stream_of(random.stream, sampling_stream)});
    // A file may have changed since its windows were counted.
    const Index clips = clips_in(options_.sampling, video.frames(), options_.training);
    pick_frames(options_.sampling, video.frames(), std::min(sample.clip, clips - 1),
                options_.training ? &draws : nullptr, frames);
    return frames;
  }

  const Sample& at(Index index) const { return samples_[static_cast<std::size_t>(index)]; }

  void do_read(Index index, Random random, Tensor clip) const override {
    const Sample& sample = at(index);
    const auto video = set_->open(sample.video);
    const std::span<const Index> frames = frames_of(sample, *video, random);
    const Index height = options_.height, width = options_.width;
    const Box box = augmenter_
                        ? augmenter_->crop(video->height(), video->width(), height, width, random)
                        : crop_of(video->height(), video->width(), height, width, sample.crop,
                                  options_.training ? 1 : options_.crops);
    video->read(frames, box, clip);
    if (augmenter_) augmenter_->apply({clip.data, clip.dtype, clip.shape}, random, clip, true);
  }

  std::shared_ptr<const VideoSet> set_;
  SampledClips options_;
  std::optional<Augmenter> augmenter_;
  std::vector<Sample> samples_;
  Index videos_ = 0;
};

}  // namespace

std::shared_ptr<const Dataset> sampled_clips(std::shared_ptr<const VideoSet> set,
                                             std::vector<Index> videos, const SampledClips& options,
                                             std::vector<std::string>* skipped) {
  if (videos.empty()) {
    videos.resize(static_cast<std::size_t>(set->size()));
    std::iota(videos.begin(), videos.end(), Index{0});
  }
  return std::make_shared<Sampled>(std::move(set), videos, options, skipped);
}

Split sampled_split(const std::shared_ptr<const VideoSet>& set, double held_out,
                    SampledClips options, bool skip_bad) {
  SplitIndices videos = split_indices(set->size(), held_out);
  Split parts;
  std::vector<std::string>* skipped = skip_bad ? &parts.skipped : nullptr;
  if (!videos.train.empty())
    parts.train = sampled_clips(set, std::move(videos.train), options, skipped);
  options.training = false;
  if (!videos.held_out.empty())
    parts.held_out = sampled_clips(set, std::move(videos.held_out), options, skipped);
  return parts;
}

}  // namespace framefold

#include "cli/evaluation.h"

#include <algorithm>

#include "cli/stop.h"

namespace framefold {
namespace {

Index numbers_of(const Dataset& dataset) { return dataset.shape().size(); }

// Reads with one stream of random numbers: the same windows each time.
void read_clip(const Dataset& dataset, Index index, std::vector<std::uint8_t>& clip) {
  StopSignal::leave_if_requested();
  clip.resize(static_cast<std::size_t>(numbers_of(dataset)));
  dataset.read(index, {}, {clip.data(), DType::u8, dataset.shape()});
}

Quality quality_of(const Dataset& dataset, const std::vector<std::uint8_t>& clip,
                   const std::vector<float>& made) {
  const Shape shape = dataset.shape();
  return Quality::of_clip(
      frame_quality({clip.data(), DType::u8, shape}, {made.data(), DType::f32, shape}));
}

// Takes one clip into the means over `clips` others.
void add_frames(std::vector<FrameQuality>& means, const std::vector<FrameQuality>& frames,
                Index clips) {
  means.resize(frames.size());
  const double share = 1 / static_cast<double>(clips + 1);
  for (std::size_t t = 0; t < frames.size(); ++t) {
    means[t].mse += (frames[t].mse - means[t].mse) * share;
    means[t].psnr += (frames[t].psnr - means[t].psnr) * share;
    means[t].ssim += (frames[t].ssim - means[t].ssim) * share;
  }
}

}  // namespace

Quality Quality::of_clip(const std::vector<FrameQuality>& frames) {
  Quality quality{.clips = 1};
  for (const FrameQuality& frame : frames) {
    quality.mse += frame.mse / static_cast<double>(frames.size());
    quality.ssim += frame.ssim / static_cast<double>(frames.size());
  }
  quality.psnr = psnr_of(quality.mse);
  return quality;
}

Quality& Quality::operator+=(const Quality& other) {
  clips += other.clips;
  if (clips == 0) return *this;
  const double weight = static_cast<double>(other.clips) / static_cast<double>(clips);
  mse += (other.mse - mse) * weight;
  psnr += (other.psnr - psnr) * weight;
  ssim += (other.ssim - ssim) * weight;
  return *this;
}

Index clips_of(const Dataset& dataset, Index wanted) {
  return wanted == 0 ? dataset.size() : std::min(wanted, dataset.size());
}

std::vector<float> mean_clip(const Dataset& dataset, Index count) {
  count = clips_of(dataset, count);
  std::vector<double> sum(static_cast<std::size_t>(numbers_of(dataset)));
  std::vector<std::uint8_t> clip;
  for (Index i = 0; i < count; ++i) {
    read_clip(dataset, dataset.size() * i / count, clip);
    for (std::size_t p = 0; p < sum.size(); ++p) sum[p] += clip[p];
  }
  std::vector<float> mean(sum.size());
  for (std::size_t p = 0; p < sum.size(); ++p)
    mean[p] = static_cast<float>(sum[p] / (255.0 * static_cast<double>(count)));
  return mean;
}

Baselines baselines(const Dataset& held_out, Index clips, const std::vector<float>& mean) {
  Baselines found;
  const Index size = numbers_of(held_out), frames = held_out.shape()[0], frame = size / frames;
  if (static_cast<Index>(mean.size()) != size)
    fail(ErrorCode::shape, "baselines: the mean clip has ", mean.size(), " numbers, a clip ", size);
  std::vector<std::uint8_t> clip;
  std::vector<float> still(static_cast<std::size_t>(size));
  for (Index i = 0; i < clips_of(held_out, clips); ++i) {
    read_clip(held_out, i, clip);
    found.mean_frame += quality_of(held_out, clip, mean);
    if (frames == 1) continue;
    for (Index p = 0; p < frame; ++p) {
      float sum = 0;
      for (Index t = 0; t < frames; ++t) sum += clip[static_cast<std::size_t>(t * frame + p)];
      for (Index t = 0; t < frames; ++t)
        still[static_cast<std::size_t>(t * frame + p)] = sum / (255 * static_cast<float>(frames));
    }
    found.own_mean_frame += quality_of(held_out, clip, still);
  }
  return found;
}

Evaluator::Evaluator(const Config& config, std::shared_ptr<const Dataset> dataset, Index clips,
                     Parameters& parameters)
    : dataset_(std::move(dataset)),
      parameters_(parameters),
      clips_(clips_of(*dataset_, clips)),
      clip_size_(numbers_of(*dataset_)) {
  if (config.task.classifies())
    fail(ErrorCode::config,
         "a classifier (task.kind) reconstructs nothing; take a run of task.kind "
         "\"reconstruct\", or `framefold eval`");
  if (clips_ == 0) fail(ErrorCode::argument, "evaluation: there are no clips");
  if (changes(config.corrupt)) pairs_ = paired(dataset_, config.corrupt, CorruptionDraw::by_index);
  for (const Index batch : evaluation_batches(config.train.batch, clips_))
    plans_.push_back(compile_evaluation(config, batch));
  const Graph& graph = plans_.front().plan->graph();
  code_size_ = graph.shape(plans_.front().model.code).size() / plans_.front().batch;
}

HeldOut Evaluator::run(const std::function<void(const Sample&)>& each) {
  HeldOut total;
  Index first = 0;
  for (const Compiled& compiled : plans_) {
    const Index last = first + (clips_ - first) / compiled.batch * compiled.batch;
    run(compiled, first, last, total, each);
    first = last;
  }
  return total;
}

void Evaluator::run(const Compiled& compiled, Index first, Index last, HeldOut& total,
                    const std::function<void(const Sample&)>& each) {
  const Autoencoder& model = compiled.model;
  const Index batch = compiled.batch;
  Executor executor(compiled.plan, parameters_);
  const Tensor input = executor.input("clip");
  const Dataset& read = pairs_ ? *pairs_ : *dataset_;
  std::vector<std::uint8_t> pairs(pairs_ ? 2 * input.bytes() : 0);
  auto* const rows = pairs_ ? pairs.data() : input.as<std::uint8_t>();
  const Shape shape = read.shape();
  for (Index at = first; at < last; at += batch) {
    StopSignal::leave_if_requested();
    for (Index row = 0; row < batch; ++row)
      read.read(at + row, {}, {rows + row * shape.size(), DType::u8, shape});
    if (pairs_)
      unpair({rows, DType::u8, {batch, shape[0], shape[1], shape[2], shape[3]}}, input,
             executor.input("target"));
    executor.run({}, false);
    total.loss += static_cast<double>(*executor.value(model.loss).as<float>()) *
                  static_cast<double>(batch) / static_cast<double>(clips_);
    const auto* fed = executor.value(model.clip).as<std::uint8_t>();
    const auto* clips = executor.value(model.target).as<std::uint8_t>();
    const auto* masked =
        model.masked_clip ? executor.value(model.masked_clip).as<float>() : nullptr;
    const auto* codes = executor.value(model.code).as<float>();
    const auto* made = executor.value(model.reconstruction).as<float>();
    const Shape clip = dataset_->shape();
    for (Index row = 0; row < batch; ++row) {
      Sample sample{.index = at + row,
                    .clip = clips + row * clip_size_,
                    .code = codes + row * code_size_,
                    .reconstruction = made + row * clip_size_};
      const View original{sample.clip, DType::u8, clip};
      if (pairs_) sample.seen = {{fed + row * clip_size_, DType::u8, clip}, "corrupted"};
      if (masked != nullptr)
        sample.seen = {{masked + row * clip_size_, DType::f32, clip}, "what it sees"};
      sample.frames = frame_quality(original, {sample.reconstruction, DType::f32, clip});
      sample.quality = Quality::of_clip(sample.frames);
      add_frames(total.frames, sample.frames, total.quality.clips);
      total.quality += sample.quality;
      if (pairs_) {
        sample.fed_frames = frame_quality(original, sample.seen.clip);
        add_frames(total.fed_frames, sample.fed_frames, total.fed.clips);
        total.fed += Quality::of_clip(sample.fed_frames);
      }
      if (each) each(sample);
    }
  }
}

}  // namespace framefold

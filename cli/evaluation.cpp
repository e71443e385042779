#include "cli/evaluation.h"

#include <algorithm>
#include <cmath>

namespace framefold {
namespace {

Index numbers_of(const Dataset& dataset) { return dataset.shape().size(); }

// Reads with one stream of random numbers: the same windows each time.
void read_clip(const Dataset& dataset, Index index, std::vector<std::uint8_t>& clip) {
  clip.resize(static_cast<std::size_t>(numbers_of(dataset)));
  dataset.read(index, {}, {clip.data(), DType::u8, dataset.shape()});
}

template <class Predict>
Quality quality_of(const std::uint8_t* clip, Index size, Predict&& predict) {
  double sum = 0;
  for (Index i = 0; i < size; ++i) {
    const double error =
        std::clamp(static_cast<double>(predict(i)), 0.0, 1.0) - clip[i] * (1.0 / 255);
    sum += error * error;
  }
  return Quality::of_clip(sum / static_cast<double>(size));
}

}  // namespace

Quality Quality::of_clip(double mse) {
  return {.clips = 1, .mse = mse, .psnr = -10 * std::log10(std::max(mse, 1e-10))};
}

Quality& Quality::operator+=(const Quality& other) {
  clips += other.clips;
  if (clips == 0) return *this;
  const double weight = static_cast<double>(other.clips) / static_cast<double>(clips);
  mse += (other.mse - mse) * weight;
  psnr += (other.psnr - psnr) * weight;
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
  std::vector<float> still(static_cast<std::size_t>(frame));
  for (Index i = 0; i < clips_of(held_out, clips); ++i) {
    read_clip(held_out, i, clip);
    found.mean_frame +=
        quality_of(clip.data(), size, [&](Index p) { return mean[static_cast<std::size_t>(p)]; });
    if (frames == 1) continue;
    for (Index p = 0; p < frame; ++p) {
      float sum = 0;
      for (Index t = 0; t < frames; ++t) sum += clip[static_cast<std::size_t>(t * frame + p)];
      still[static_cast<std::size_t>(p)] = sum / (255 * static_cast<float>(frames));
    }
    found.own_mean_frame += quality_of(
        clip.data(), size, [&](Index p) { return still[static_cast<std::size_t>(p % frame)]; });
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
  auto* input = executor.input("clip").as<std::uint8_t>();
  for (Index at = first; at < last; at += batch) {
    for (Index row = 0; row < batch; ++row)
      dataset_->read(at + row, {}, {input + row * clip_size_, DType::u8, dataset_->shape()});
    executor.run({}, false);
    total.loss += static_cast<double>(*executor.value(model.loss).as<float>()) *
                  static_cast<double>(batch) / static_cast<double>(clips_);
    const auto* clips = executor.value(model.clip).as<std::uint8_t>();
    const auto* codes = executor.value(model.code).as<float>();
    const auto* made = executor.value(model.reconstruction).as<float>();
    for (Index row = 0; row < batch; ++row) {
      Sample sample{at + row,
                    clips + row * clip_size_,
                    codes + row * code_size_,
                    made + row * clip_size_,
                    {}};
      sample.quality =
          quality_of(sample.clip, clip_size_, [&](Index p) { return sample.reconstruction[p]; });
      total.quality += sample.quality;
      if (each) each(sample);
    }
  }
}

}  // namespace framefold

#include "engine/loader_source.h"

#include <algorithm>

namespace framefold {

LoaderSource::LoaderSource(const std::shared_ptr<const Dataset>& dataset,
                           const LoaderOptions& options, const Mixing& mixing, Index classes,
                           double smoothing, const Augmentation& corruption)
    : dataset_(dataset),
      loader_(
          changes(corruption) ? paired(dataset, corruption, CorruptionDraw::by_random) : dataset,
          options),
      seed_(options.seed),
      mixing_(mixing),
      classes_(classes),
      smoothing_(smoothing),
      pairs_(changes(corruption) ? loader_.type().bytes() : 0) {}

BatchSource::Batch LoaderSource::next(std::span<const Tensor> inputs) {
  const Tensor pairs{pairs_.data(), DType::u8, loader_.type().shape};
  const Tensor read = pairs_.empty() ? inputs.front() : pairs;
  batch_ = loader_.next(read);
  float* labels = classes_ > 0 ? label(inputs.back()) : nullptr;
  mix_batch(mixing_, seed_, batch_.step, read, labels, classes_);
  if (!pairs_.empty()) unpair(pairs, inputs[0], inputs[1]);
  return {.epoch = batch_.epoch, .samples = std::ssize(batch_.samples)};
}

float* LoaderSource::label(Tensor labels) const {
  auto* rows = labels.as<float>();
  for (std::size_t i = 0; i < batch_.samples.size(); ++i)
    write_label(*dataset_, batch_.samples[i], smoothing_,
                {rows + static_cast<Index>(i) * classes_, static_cast<std::size_t>(classes_)});
  return rows;
}

void write_label(const Dataset& dataset, Index sample, double smoothing, std::span<float> label) {
  const Index own = dataset.label(sample);
  if (own < 0 || own >= static_cast<Index>(label.size()))
    fail(ErrorCode::config, dataset.name(sample),
         own < 0 ? " has no class" : text(" has class ", own), ", expected one from 0 to ",
         label.size() - 1, "; label it, or leave it out");
  const double spread = smoothing / static_cast<double>(label.size());
  std::ranges::fill(label, static_cast<float>(spread));
  label[static_cast<std::size_t>(own)] = static_cast<float>(1 - smoothing + spread);
}

}  // namespace framefold

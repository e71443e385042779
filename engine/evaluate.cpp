#include "engine/evaluate.h"

namespace framefold {

Evaluation evaluate(Executor& executor, BatchSource& source, Index batches, Index first,
                    std::span<const Value> metrics) {
  const std::vector<Tensor> inputs = inputs_of(executor);
  Evaluation total;
  source.seek(first);
  for (Index i = first; i < first + batches; ++i) {
    const BatchSource::Batch batch = source.next(inputs);
    if (const Index whole = inputs.front().shape[0]; batch.samples != whole)
      fail(ErrorCode::argument, "evaluate: batch ", i, " holds ", batch.samples,
           " samples, the plan takes ", whole, "; evaluate the rest with a plan of its own size");
    executor.run({.seed = 0, .step = static_cast<std::uint64_t>(i)}, false);
    Evaluation here{.samples = batch.samples, .loss = static_cast<double>(executor.loss())};
    for (const Value metric : metrics)
      here.metrics.push_back(static_cast<double>(*executor.value(metric).as<float>()));
    total += here;
  }
  return total;
}

Evaluation& Evaluation::operator+=(const Evaluation& other) {
  if (other.samples == 0) return *this;
  if (samples == 0) return *this = other;
  if (metrics.size() != other.metrics.size())
    fail(ErrorCode::argument, "evaluate: ", metrics.size(), " metrics in one set, ",
         other.metrics.size(), " in the other");
  samples += other.samples;
  const double share = static_cast<double>(other.samples) / static_cast<double>(samples);
  loss += (other.loss - loss) * share;
  for (std::size_t i = 0; i < metrics.size(); ++i)
    metrics[i] += (other.metrics[i] - metrics[i]) * share;
  return *this;
}

}  // namespace framefold

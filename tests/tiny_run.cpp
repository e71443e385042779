#include "tests/tiny_run.h"

#include <algorithm>

#include "engine/ops.h"
#include "models/layers.h"

namespace framefold::test {
namespace {

constexpr Index batch_size = 4;

Stream stream_of(const TinyOptions& options) {
  return {.device = options.device, .threads = options.threads};
}

std::shared_ptr<const Plan> plan_of(const Graph& graph, Value loss, const Stream& stream) {
  return std::make_shared<Plan>(compile(graph, {.loss = loss, .stream = stream}));
}

}  // namespace

void TinyData::do_read(Index index, Random random, Tensor clip) const {
  const bool backwards = random.word(0) % 2 == 0;
  for (Index i = 0; i < clip.size(); ++i)
    clip.as<std::uint8_t>()[backwards ? clip.size() - 1 - i : i] =
        static_cast<std::uint8_t>((index * 37 + i * i * 11) % 256);
}

TinySource::TinySource(std::uint64_t seed, int workers)
    : loader_(std::make_shared<TinyData>(),
              {.batch = batch_size, .workers = workers, .seed = seed}) {}

BatchSource::Batch TinySource::next(std::span<const Tensor> inputs) {
  if (std::ranges::find(unreadable, next_) != unreadable.end())
    fail(ErrorCode::format, "batch ", next_, " cannot be read");
  batch_ = loader_.next(inputs[0]);
  ++next_;
  if (std::ranges::find(spoilt, batch_.step) != spoilt.end())
    inputs[0].as<float>()[0] = std::numeric_limits<float>::quiet_NaN();
  return {batch_.epoch, std::ssize(batch_.samples)};
}

Value tiny_model(Graph& g) {
  const Value clip = g.input("clip", {DType::f32, {batch_size, 1, 1, 1, 6}});
  const Value code = layers::dense(g, "encoder", noise(g, clip, {}), 5, Activation::tanh);
  const auto stored = [&](const char* name, Init init) { return g.buffer(name, {5}, init); };
  const Value normal = batch_norm(g, code, g.parameter("gamma", {5}, Init::ones(), false),
                                  g.parameter("beta", {5}, Init::zeros(), false),
                                  stored("mean", Init::zeros()), stored("var", Init::ones()));
  return mse(g, layers::dense(g, "decoder", dropout(g, normal, 0.1F), 6), clip);
}

TinyRun::TinyRun(const TinyOptions& options, const std::filesystem::path& directory)
    : loss(tiny_model(graph)),
      parameters(graph, true, options.device),
      executor(plan_of(graph, loss, stream_of(options)), parameters),
      optimizer(parameters, options.optimizer, stream_of(options)),
      source(options.train.seed, options.workers),
      checkpoints(directory.empty() ? std::nullopt
                                    : std::optional<Checkpoints>(std::in_place, directory)),
      trainer(executor, parameters, optimizer, source, options.train,
              checkpoints ? &*checkpoints : nullptr) {
  parameters.initialize(options.train.seed);
  records.reserve(static_cast<std::size_t>(std::min<Index>(options.train.steps, 1000)));
}

Ending TinyRun::run(const TrainHooks& hooks) {
  TrainHooks noting = hooks;
  noting.step = [this, &hooks](const StepRecord& record) {
    records.push_back(record);
    if (hooks.step) hooks.step(record);
  };
  return trainer.run(noting);
}

bool TinyRun::resume() {
  const auto found = checkpoints->newest();
  if (found) trainer.resume(load_checkpoint(found->path, parameters, optimizer));
  return found.has_value();
}

std::vector<float> TinyRun::learnt() const {
  parameters.download();
  std::vector<float> all(parameters.values().begin(), parameters.values().end());
  all.insert(all.end(), parameters.buffers().begin(), parameters.buffers().end());
  return all;
}

std::vector<float> TinyRun::remembered() const {
  std::vector<float> all;
  optimizer.download();
  for (const auto& [name, tensor] : optimizer.state())
    all.insert(all.end(), tensor.as<float>(), tensor.as<float>() + tensor.size());
  return all;
}

}  // namespace framefold::test

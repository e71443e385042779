#include "tests/tiny_run.h"

#include <algorithm>
#include <numeric>

#include "engine/ops.h"

namespace framefold::test {
namespace {

constexpr Index batch_size = 4;

class Local : public Op {
 public:
  Types infer(const Types& in) const override { return {in[0]}; }
  double forward_flops(const Types&, const Types&) const override { return 0; }
};

// y = x + normal noise.
class Noise final : public Local {
 public:
  std::string_view name() const override { return "noise"; }
  Needs needs(const Stream&, const Types&, const Types&) const override {
    return {.differentiable = {0}};
  }
  void forward(Run& run) const override {
    for (Index i = 0; i < run.out[0].size(); ++i)
      run.out[0].as<float>()[i] =
          run.in[0].as<float>()[i] + 0.1F * run.random.normal(static_cast<std::uint64_t>(i));
  }
  void backward(Run& run) const override {
    std::copy_n(run.dout[0].as<float>(), run.dout[0].size(), run.din[0].as<float>());
  }
};

// y = x - running mean of x.
class Centre final : public Local {
 public:
  std::string_view name() const override { return "centre"; }
  Needs needs(const Stream&, const Types&, const Types&) const override {
    return {.differentiable = {0}, .updates = {1}};
  }
  void forward(Run& run) const override {
    const float* x = run.in[0].as<float>();
    float* mean = run.in[1].as<float>();
    const Index count = run.in[0].size();
    const float here = std::accumulate(x, x + count, 0.0F) / static_cast<float>(count);
    *mean = 0.9F * *mean + 0.1F * here;
    for (Index i = 0; i < count; ++i) run.out[0].as<float>()[i] = x[i] - *mean;
  }
  void backward(Run& run) const override {
    std::copy_n(run.dout[0].as<float>(), run.dout[0].size(), run.din[0].as<float>());
  }
};

// mean((x - y)^2), the gradient to x alone.
class Distance final : public Local {
 public:
  std::string_view name() const override { return "distance"; }
  Types infer(const Types&) const override { return {{DType::f32, {1}}}; }
  Needs needs(const Stream&, const Types&, const Types&) const override {
    return {.reads_inputs = {0, 1}, .differentiable = {0}};
  }
  void forward(Run& run) const override {
    float sum = 0;
    for (Index i = 0; i < run.in[0].size(); ++i) {
      const float apart = run.in[0].as<float>()[i] - run.in[1].as<float>()[i];
      sum += apart * apart;
    }
    *run.out[0].as<float>() = sum / static_cast<float>(run.in[0].size());
  }
  void backward(Run& run) const override {
    const float scale = 2 * *run.dout[0].as<float>() / static_cast<float>(run.in[0].size());
    for (Index i = 0; i < run.in[0].size(); ++i)
      run.din[0].as<float>()[i] = scale * (run.in[0].as<float>()[i] - run.in[1].as<float>()[i]);
  }
};

Value dense(Graph& g, const std::string& name, Value x, Index width, Activation activation) {
  const Graph::Scope scope(g, name);
  const Index from = g.shape(x)[-1];
  return linear(g, x, g.parameter("weight", {from, width}, Init::glorot(from, width)),
                g.parameter("bias", {width}, Init::zeros(), false), activation);
}

std::shared_ptr<const Plan> plan_of(const Graph& graph, Value loss, int threads) {
  return std::make_shared<Plan>(compile(graph, {.loss = loss, .stream = {.threads = threads}}));
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
  batch_ = loader_.next(inputs[0]);
  if (std::ranges::find(spoilt, batch_.step) != spoilt.end())
    inputs[0].as<float>()[0] = std::numeric_limits<float>::infinity();
  return {batch_.epoch, batch_.count};
}

Value tiny_model(Graph& g) {
  const Value clip = g.input("clip", {DType::f32, {batch_size, 1, 1, 1, 6}});
  const Value noisy = g.one(std::make_shared<Noise>(), {clip});
  const Value code = dense(g, "encoder", noisy, 5, Activation::tanh);
  const Value mean = g.buffer("mean", {1}, Init::zeros());
  const Value centred = g.one(std::make_shared<Centre>(), {code, mean});
  const Value back = dense(g, "decoder", centred, 6, Activation::none);
  return g.one(std::make_shared<Distance>(), {back, clip});
}

TinyRun::TinyRun(const TinyOptions& options, const std::filesystem::path& directory)
    : loss(tiny_model(graph)),
      parameters(graph),
      executor(plan_of(graph, loss, options.threads), parameters),
      optimizer(parameters, options.optimizer, {.threads = options.threads}),
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
  std::vector<float> all(parameters.values().begin(), parameters.values().end());
  all.insert(all.end(), parameters.buffers().begin(), parameters.buffers().end());
  return all;
}

std::vector<float> TinyRun::remembered() const {
  std::vector<float> all;
  for (const auto& [name, tensor] : optimizer.state())
    all.insert(all.end(), tensor.as<float>(), tensor.as<float>() + tensor.size());
  return all;
}

}  // namespace framefold::test

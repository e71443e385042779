// Every model, trained for a few steps as a run trains it.
#include <gtest/gtest.h>

#include <algorithm>

#include "engine/train.h"
#include "models/model.h"
#include "tests/allocations.h"
#include "tests/temporary.h"

namespace framefold {
namespace {

constexpr Index batch_size = 2;

class RandomClips final : public BatchSource {
 public:
  void seek(Index batch) override { next_ = batch; }
  Batch next(std::span<const Tensor> inputs) override {
    const Random random{.seed = 1, .stream = static_cast<std::uint64_t>(next_++)};
    for (Index i = 0; i < inputs[0].size(); ++i)
      inputs[0].as<std::uint8_t>()[i] =
          static_cast<std::uint8_t>(random.word(static_cast<std::uint64_t>(i)));
    return {.samples = batch_size};
  }
  std::vector<std::string> names() const override { return {}; }

 private:
  Index next_ = 0;
};

struct ModelRun {
  ModelRun(const ModelInfo& info, const std::filesystem::path& directory)
      : loss(info.build(graph, options_of(info), batch_size).loss),
        parameters(graph),
        executor(std::make_shared<Plan>(compile(graph, {.loss = loss, .stream = {.threads = 2}})),
                 parameters),
        optimizer(parameters, {.kind = OptimizerKind::adamw, .weight_decay = 0.1, .clip = 1},
                  {.threads = 2}),
        checkpoints(directory),
        trainer(executor, parameters, optimizer, source, {.seed = 3, .steps = 4}, &checkpoints) {
    parameters.initialize(3);
  }
  static ModelOptions options_of(const ModelInfo& info) {
    return {.name = std::string(info.name),
            .clip = {.frames = 4, .height = 16, .width = 16, .channels = 3},
            .widths = {8, 12},
            .width = 12,
            .depth = 2,
            .heads = 2,
            .decoder_width = 8,
            .decoder_depth = 1,
            .decoder_heads = 2,
            .patch = 4,
            .mask_ratio = 0.5,
            .drop_path = 0.2};
  }

  Graph graph;
  Value loss;
  Parameters parameters;
  Executor executor;
  Optimizer optimizer;
  RandomClips source;
  Checkpoints checkpoints;
  Trainer trainer;
};

class TrainedModel : public testing::TestWithParam<ModelInfo> {};

TEST_P(TrainedModel, ResumesBitForBitAndTakesNoMemoryAfterTheFirstStep) {
  const TemporaryDirectory directory;
  ModelRun whole(GetParam(), directory / "whole");
  std::int64_t first = 0;
  std::int64_t last = 0;
  whole.trainer.run({.step = [&](const StepRecord& record) {
    if (record.step == 0) first = test::allocations();
    last = test::allocations();
  }});
  EXPECT_EQ(last - first, 0);  // where nothing is counted, 0 - 0

  ModelRun start(GetParam(), directory / "pieces");
  start.trainer.run({.stop = [&] { return start.trainer.counters().step == 2; }});
  ModelRun end(GetParam(), directory / "pieces");
  end.trainer.resume(
      load_checkpoint(end.checkpoints.newest()->path, end.parameters, end.optimizer));
  EXPECT_FALSE(std::ranges::equal(end.parameters.values(), whole.parameters.values()));
  end.trainer.run({});
  EXPECT_TRUE(std::ranges::equal(end.parameters.values(), whole.parameters.values()));
  EXPECT_TRUE(std::ranges::equal(end.parameters.buffers(), whole.parameters.buffers()));
}

INSTANTIATE_TEST_SUITE_P(Models, TrainedModel, testing::ValuesIn(models().begin(), models().end()),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace framefold

#include "engine/train.h"

#include <gtest/gtest.h>

#include <cmath>

#include "engine/evaluate.h"
#include "tests/temporary.h"
#include "tests/tiny_run.h"

namespace framefold {
namespace {

using test::TinyOptions;
using test::TinyRun;

struct Recipe {
  const char* name;
  OptimizerOptions optimizer;
  Index accumulate = 1;
};

std::ostream& operator<<(std::ostream& out, const Recipe& recipe) { return out << recipe.name; }

TinyOptions options_of(const Recipe& recipe) {
  TinyOptions options{.optimizer = recipe.optimizer};
  options.train.accumulate = recipe.accumulate;
  options.train.schedule = {
      .kind = ScheduleKind::cosine, .rate = 0.02, .warmup = 3, .steps = 20, .minimum = 0.001};
  return options;
}

// Stops the run once it has done that many steps.
TrainHooks stop_after(TinyRun& run, Index steps) {
  return {.stop = [&run, steps] { return run.trainer.counters().step >= steps; }};
}

class ResumedTraining : public testing::TestWithParam<Recipe> {};

// Six batches an epoch: step 10 stands in the middle of one.
TEST_P(ResumedTraining, EndsWithTheSameBits) {
  TinyRun whole(options_of(GetParam()));
  EXPECT_EQ(whole.run(), Ending::finished);

  const TemporaryDirectory directory;
  TinyRun first(options_of(GetParam()), directory.path());
  EXPECT_EQ(first.run(stop_after(first, 10)), Ending::interrupted);
  EXPECT_EQ(first.records.size(), 10U);

  TinyRun second(options_of(GetParam()), directory.path());
  ASSERT_TRUE(second.resume());
  EXPECT_EQ(second.run(), Ending::finished);
  EXPECT_EQ(second.records.size(), 10U);

  EXPECT_EQ(second.learnt(), whole.learnt());
  EXPECT_EQ(second.remembered(), whole.remembered());
  EXPECT_EQ(second.records.back().loss, whole.records.back().loss);
  EXPECT_EQ(second.trainer.counters().epoch, whole.trainer.counters().epoch);
}

// At every step, not only at the tenth.
TEST_P(ResumedTraining, MayStopAtAnyStep) {
  TinyRun whole(options_of(GetParam()));
  whole.run();
  const TemporaryDirectory directory;
  std::vector<float> learnt;
  for (Index steps = 0; steps <= 20; ++steps) {
    TinyRun piece(options_of(GetParam()), directory.path());
    EXPECT_EQ(piece.resume(), steps > 0);
    piece.run(stop_after(piece, steps));
    learnt = piece.learnt();
  }
  EXPECT_EQ(learnt, whole.learnt());
}

INSTANTIATE_TEST_SUITE_P(
    Optimizers, ResumedTraining,
    testing::Values(
        Recipe{"sgd", {.kind = OptimizerKind::sgd}},
        Recipe{"nesterov", {.kind = OptimizerKind::sgd, .momentum = 0.9, .nesterov = true}},
        Recipe{"rmsprop", {.kind = OptimizerKind::rmsprop, .weight_decay = 0.01}},
        Recipe{"rmsprop_momentum", {.kind = OptimizerKind::rmsprop, .momentum = 0.8}},
        Recipe{"adam", {.kind = OptimizerKind::adam}, 2},
        Recipe{"adamw",
               {.kind = OptimizerKind::adamw, .weight_decay = 0.1, .clip = 0.05, .average = 0.9}}),
    [](const auto& info) { return info.param.name; });

TEST(Training, ResumedWithoutOptimiserStateDiffers) {
  TinyRun whole;
  whole.run();
  const TemporaryDirectory directory;
  TinyRun first({}, directory.path());
  first.run(stop_after(first, 10));
  TinyRun second({}, directory.path());
  second.trainer.resume(load_weights(second.checkpoints->newest()->path, second.parameters));
  EXPECT_EQ(second.learnt(), first.learnt());
  second.run();
  EXPECT_EQ(second.records.size(), 10U);
  EXPECT_NE(second.learnt(), whole.learnt());
}

TEST(Training, WorkersDoNotChangeTheWeights) {
  TinyRun none;
  none.run();
  for (const int workers : {1, 2, 4}) {
    TinyRun run({.workers = workers});
    run.run();
    EXPECT_EQ(run.learnt(), none.learnt()) << workers << " workers";
  }
}

TEST(Training, SameSeedAndThreadsGiveTheSameBitsAndAnotherSeedDoesNot) {
  for (const int threads : {1, 2}) {
    TinyRun one({.threads = threads});
    TinyRun two({.threads = threads});
    one.run();
    two.run();
    EXPECT_EQ(one.learnt(), two.learnt());
  }
  TinyRun one;
  one.run();
  TinyOptions other;
  other.train.seed = 8;
  TinyRun two(other);
  two.run();
  EXPECT_NE(one.learnt(), two.learnt());
}

TEST(Training, Learns) {
  TinyOptions options;
  options.train.steps = 400;
  TinyRun run(options);
  run.run();
  EXPECT_LT(run.records.back().loss, 0.3 * run.records.front().loss);
}

TEST(Training, RecordsSayWhatHappened) {
  TinyOptions options;
  options.train.schedule.warmup = 10;
  TinyRun run(options);
  run.run();
  ASSERT_EQ(run.records.size(), 20U);
  const StepRecord& record = run.records[7];
  EXPECT_EQ(record.step, 7);
  EXPECT_EQ(record.epoch, 1);
  EXPECT_EQ(record.samples, 4);
  EXPECT_DOUBLE_EQ(record.rate, 0.008);
  EXPECT_GT(record.gradient_norm, 0);
  EXPECT_FALSE(record.skipped);
  EXPECT_GT(record.data_seconds, 0);
  EXPECT_GT(record.compute_seconds, 0);
  EXPECT_GT(record.update_seconds, 0);
}

// By hand: two batches at half their weight, one update.
TEST(Training, AccumulationAveragesBatches) {
  TinyOptions options{.optimizer = {.kind = OptimizerKind::sgd}};
  options.train.accumulate = 2;
  options.train.steps = 1;
  TinyRun run(options);
  run.run();

  TinyRun hand(options);
  const std::vector<Tensor> inputs = inputs_of(hand.executor);
  double loss = 0;
  for (std::uint64_t batch = 0; batch < 2; ++batch) {
    hand.source.next(inputs);
    hand.executor.run({.seed = 7, .step = batch}, true, 0.5F);
    loss += static_cast<double>(hand.executor.loss()) / 2;
  }
  for (const Parameters::Entry& entry : hand.parameters.entries()) {
    const float* gradient = hand.parameters.gradient(entry.name).as<float>();
    for (Index i = 0; i < entry.shape.size(); ++i)
      EXPECT_NEAR(run.parameters.value(entry.name).as<float>()[i],
                  hand.parameters.value(entry.name).as<float>()[i] - 0.01F * gradient[i], 1e-7);
  }
  EXPECT_EQ(run.records[0].loss, loss);
  EXPECT_EQ(run.records[0].samples, 8);
}

TEST(Training, StopsWhenTimeIsUpAndSaves) {
  const TemporaryDirectory directory;
  TinyOptions options;
  options.train.seconds = 0.02;
  options.train.steps = 100'000'000;
  TinyRun run(options, directory.path());
  EXPECT_EQ(run.run(), Ending::out_of_time);
  EXPECT_EQ(read_counters(run.checkpoints->newest()->path).step, run.trainer.counters().step);
}

TEST(Training, StepsBeforeUnreadableSamplesAreKept) {
  for (const Index accumulate : {1, 2}) {
    TinyOptions options;
    options.train.accumulate = accumulate;
    TinyRun whole(options);
    whole.run();
    const TemporaryDirectory directory;
    TinyRun first(options, directory.path());
    first.source.unreadable = {6 * accumulate + 1};  // a step's second batch, where it has one
    const Index kept = accumulate == 1 ? 7 : 6;
    EXPECT_ERROR(ErrorCode::format, "cannot be read", first.run());
    TinyRun second(options, directory.path());
    ASSERT_TRUE(second.resume());
    EXPECT_EQ(second.trainer.counters().step, kept);
    second.run();
    EXPECT_EQ(second.learnt(), whole.learnt());
  }
}

TEST(Training, SavesPeriodicallyAndAtTheEnd) {
  const TemporaryDirectory directory;
  TinyOptions options;
  options.train.save_every = 8;
  options.train.config = "steps = 20\n";
  TinyRun run(options, directory.path());
  std::vector<std::string> saved;
  run.run({.saved = [&](const auto& path) { saved.push_back(path.filename().string()); }});
  EXPECT_EQ(saved,
            (std::vector<std::string>{"step-00000008.safetensors", "step-00000016.safetensors",
                                      "step-00000020.safetensors"}));
  EXPECT_EQ(read_counters(directory / saved[2]).config, "steps = 20\n");
}

TEST(Training, EvaluatesAndKeepsTheBest) {
  const TemporaryDirectory directory;
  TinyOptions options;
  options.train.steps = 30;
  options.train.evaluate_every = 4;
  options.train.save_every = 5;
  TinyRun run(options, directory.path());
  std::vector<Index> evaluated;
  run.run({.evaluate = [&](Index step) {
    evaluated.push_back(step);
    return step == 12 ? 1.0 : step == 16 ? NAN : 100.0 - static_cast<double>(step);
  }});
  EXPECT_EQ(evaluated, (std::vector<Index>{4, 8, 12, 16, 20, 24, 28, 30}));
  EXPECT_EQ(run.trainer.counters().best, 1.0);
  const auto best = run.checkpoints->best();
  ASSERT_TRUE(best);
  EXPECT_EQ(best->filename(), "step-00000012.safetensors");
  EXPECT_EQ(directory.names().size(), 4U);  // the last three and the best
}

TEST(Training, AnInterruptedEvaluationIsMadeUpFor) {
  const TemporaryDirectory directory;
  TinyOptions options{.optimizer = {.average = 0.9}};
  options.train.evaluate_every = 4;
  TinyRun whole(options);
  whole.run({.evaluate = [](Index) { return 1.0; }});
  TinyRun first(options, directory.path());
  bool stop = false;
  const Ending ending = first.run({.evaluate = [&](Index step) -> double {
                                     stop = step == 8;
                                     if (stop) fail(ErrorCode::interrupted, "stop");
                                     return 1;
                                   },
                                   .stop = [&] { return stop; }});
  EXPECT_EQ(ending, Ending::interrupted);
  TinyRun second(options, directory.path());
  ASSERT_TRUE(second.resume());
  std::vector<Index> evaluated;
  second.run({.evaluate = [&](Index step) {
    evaluated.push_back(step);
    return 1.0;
  }});
  EXPECT_EQ(evaluated, (std::vector<Index>{8, 12, 16, 20}));
  EXPECT_EQ(second.learnt(), whole.learnt());
}

TEST(Training, StepsBeforeAFailedEvaluationAreKept) {
  const TemporaryDirectory directory;
  TinyOptions options{.optimizer = {.average = 0.9}};
  options.train.evaluate_every = 4;
  TinyRun whole(options);
  whole.run();
  TinyRun first(options, directory.path());
  EXPECT_ERROR(
      ErrorCode::format, "unreadable",
      first.run({.evaluate = [](Index) -> double { fail(ErrorCode::format, "unreadable"); }}));
  TinyRun second(options, directory.path());
  ASSERT_TRUE(second.resume());
  EXPECT_EQ(second.trainer.counters().step, 4);
  second.run();
  EXPECT_EQ(second.learnt(), whole.learnt());
}

TEST(Training, EvaluatesTheAverageOfTheWeights) {
  TinyOptions options{.optimizer = {.average = 0.9}};
  options.train.evaluate_every = 20;
  TinyRun run(options);
  std::vector<float> live;
  std::vector<float> seen;
  run.run({.step = [&](const StepRecord&) { live = run.learnt(); },
           .evaluate =
               [&](Index) {
                 seen = run.learnt();
                 return 1.0;
               }});
  EXPECT_NE(seen, live);
  EXPECT_EQ(run.learnt(), live);
}

TEST(Training, MemoryIsKnownWithoutHoldingIt) {
  Graph graph;
  const Value loss = test::tiny_model(graph);
  const OptimizerOptions optimizer{.average = 0.9};
  const Bytes planned = Parameters::bytes_of(graph) + compile(graph, {.loss = loss}).arena_bytes() +
                        Optimizer::bytes_of(graph, optimizer) + Trainer::bytes_of(graph);
  const Bytes before = tensor_memory();
  TinyRun run({.optimizer = optimizer});
  run.run();
  EXPECT_EQ(tensor_memory() - before, planned);
}

TEST(Training, ResumingWantsTheSameSeed) {
  TinyRun run;
  EXPECT_ERROR(ErrorCode::config, "seed is 3", run.trainer.resume({.seed = 3}));
}

TEST(Training, RefusesOptionsOutOfRange) {
  TinyOptions options;
  options.train.accumulate = 0;
  EXPECT_ERROR(ErrorCode::config, "accumulates 0", TinyRun{options});
}

TEST(NumericFault, NamesTheOperationItsInputsAndTheSamples) {
  TinyOptions options;
  options.train.accumulate = 2;
  TinyRun run(options);
  run.source.spoilt = {7};  // the second batch of step 3
  std::vector<float> before;
  try {
    run.run({.step = [&](const StepRecord&) { before = run.learnt(); }});
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_EQ(error.code(), ErrorCode::numeric);
    for (const char* part : {"step 3: the loss is", "that of noise",
                             "input 0 [4, 1, 1, 1, 6]: 1 NaN and 0 infinite of 24"})
      EXPECT_NE(message.find(part), std::string::npos) << message;
    for (const std::string& name : run.source.names())
      EXPECT_NE(message.find(name), std::string::npos) << message;
  }
  EXPECT_EQ(run.source.names().size(), 4U);
  EXPECT_EQ(run.learnt(), before);  // the running mean too
  EXPECT_EQ(run.trainer.counters().step, 3);
}

// The code is 0, so the loss is (1e15)^2 for any decoder; what flows back is 1e14 times 1e30.
TEST(NumericFault, IsFoundWhereOnlyTheGradientOverflows) {
  TinyRun run;
  const auto set = [&](const char* name, float value) {
    const Tensor tensor = run.parameters.value(name);
    std::fill_n(tensor.as<float>(), tensor.size(), value);
  };
  set("encoder.weight", 0);
  set("decoder.weight", 1e30F);
  set("decoder.bias", 1e15F);
  EXPECT_ERROR(ErrorCode::numeric, "backward: gradient of input 0", run.run());
}

TEST(NumericFault, SkipsWithinTheBudget) {
  TinyOptions options{.optimizer = {.average = 0.9}};
  options.train.max_skipped = 2;
  TinyRun run(options);
  run.source.spoilt = {4, 5};
  std::vector<std::vector<float>> learnt;
  std::vector<std::vector<float>> remembered;
  run.run({.step = [&](const StepRecord&) {
    learnt.push_back(run.learnt());
    remembered.push_back(run.remembered());
  }});
  EXPECT_EQ(learnt[4], learnt[3]);
  EXPECT_EQ(learnt[5], learnt[3]);
  EXPECT_EQ(remembered[5], remembered[3]);
  EXPECT_NE(learnt[6], learnt[5]);
  EXPECT_TRUE(run.records[4].skipped);
  EXPECT_TRUE(run.records[5].skipped);
  EXPECT_FALSE(run.records[6].skipped);
  EXPECT_EQ(run.records[6].skipped_steps, 2);
  EXPECT_EQ(run.optimizer.updates(), 18);
}

TEST(NumericFault, PastTheBudgetIsAnErrorAlsoAfterResuming) {
  const TemporaryDirectory directory;
  TinyOptions options;
  options.train.max_skipped = 2;
  TinyRun first(options, directory.path());
  first.source.spoilt = {4, 5};
  first.run(stop_after(first, 10));
  TinyRun second(options, directory.path());
  ASSERT_TRUE(second.resume());
  second.source.spoilt = {12};
  EXPECT_ERROR(ErrorCode::numeric, "(2 of 2 taken)", second.run());
}

TEST(NumericFault, SkippingAndResumingEndsWithTheSameBits) {
  TinyOptions options;
  options.train.max_skipped = 1;
  TinyRun whole(options);
  whole.source.spoilt = {9};
  whole.run();
  const TemporaryDirectory directory;
  TinyRun first(options, directory.path());
  first.source.spoilt = {9};
  first.run(stop_after(first, 10));
  TinyRun second(options, directory.path());
  ASSERT_TRUE(second.resume());
  second.run();
  EXPECT_EQ(second.learnt(), whole.learnt());
}

TEST(Evaluation, IsTheMeanOverBatches) {
  TinyRun run;
  const Evaluation all = evaluate(run.executor, run.source, 5, 1, std::vector{run.loss});
  EXPECT_EQ(all.samples, 20);
  ASSERT_EQ(all.metrics.size(), 1U);
  EXPECT_DOUBLE_EQ(all.metrics[0], all.loss);

  TinyRun again;  // the running mean has moved
  const Evaluation some = evaluate(again.executor, again.source, 4, 1);
  Evaluation sum = some;
  sum += evaluate(again.executor, again.source, 1, 5);
  EXPECT_EQ(sum.samples, 20);
  EXPECT_NEAR(sum.loss, all.loss, 1e-12);
  EXPECT_NE(sum.loss, some.loss);
}

TEST(Evaluation, RefusesAPartialBatch) {
  class Partial final : public BatchSource {
    void seek(Index) override {}
    Batch next(std::span<const Tensor>) override { return {.samples = 3}; }
    std::vector<std::string> names() const override { return {}; }
  };
  TinyRun run;
  Partial source;
  EXPECT_ERROR(ErrorCode::argument, "holds 3 samples, the plan takes 4",
               evaluate(run.executor, source, 1));
}

}  // namespace
}  // namespace framefold

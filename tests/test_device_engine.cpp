// The engine on a device, without one: the executor's and the trainer's own logic over the device's
// double (tests/simt/device_double.h), with the real kernels, while the host keeps out of the
// device's memory.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "cli/command.h"
#include "cli/evaluation.h"
#include "cli/profile.h"
#include "cli/training_parts.h"
#include "io/file.h"
#include "tests/op_cases.h"
#include "tests/simt/device_double.h"
#include "tests/simt/runtime.h"
#include "tests/temporary.h"
#include "tests/tiny_run.h"

namespace framefold {
namespace {

using test::TinyOptions;
using test::TinyRun;

TinyOptions on_device(TinyOptions options = {}) {
  options.device = Device::cuda(0);
  return options;
}

struct Outcome {
  std::vector<double> losses, norms;
  std::vector<float> learnt, remembered;
};

Outcome outcome_of(TinyRun& run) {
  Outcome outcome{.learnt = run.learnt(), .remembered = run.remembered()};
  for (const StepRecord& record : run.records) {
    outcome.losses.push_back(record.loss);
    outcome.norms.push_back(record.gradient_norm);
  }
  return outcome;
}

Outcome outcome_of(const TinyOptions& options, std::uint64_t order = 0) {
  simt::set_queue_order(order);
  const simt::HostKeepsOut keeps_out;
  TinyRun run(options);
  run.run();
  Outcome outcome = outcome_of(run);
  simt::set_queue_order(0);
  return outcome;
}

void expect_same(const Outcome& one, const Outcome& other) {
  EXPECT_EQ(one.losses, other.losses);
  EXPECT_EQ(one.norms, other.norms);
  EXPECT_EQ(one.learnt, other.learnt);
  EXPECT_EQ(one.remembered, other.remembered);
}

// Kernels sum in another order than the CPU, and their exponentials round otherwise. Of losses and
// norms twenty steps kept 6e-6, of weights, which optimisers divide by small numbers, 8e-5.
void expect_alike(const std::vector<float>& device, const std::vector<float>& cpu,
                  double tolerance) {
  ASSERT_EQ(device.size(), cpu.size());
  for (std::size_t i = 0; i < cpu.size(); ++i)
    EXPECT_NEAR(device[i], cpu[i], tolerance) << "number " << i;
}

struct Recipe {
  const char* name;
  OptimizerOptions optimizer;
  Index accumulate = 1;
};

class DeviceTraining : public testing::TestWithParam<Recipe> {
 protected:
  static TinyOptions options() {
    TinyOptions options{.optimizer = GetParam().optimizer};
    options.train.accumulate = GetParam().accumulate;
    options.train.schedule = {.kind = ScheduleKind::cosine, .rate = 0.02, .warmup = 3, .steps = 20};
    return options;
  }
};

// The same masks of dropout, the same noise, the same rates: another draw at one step would part
// the losses by far more.
TEST_P(DeviceTraining, FollowsTheCpu) {
  const Outcome cpu = outcome_of(options());
  const Outcome device = outcome_of(on_device(options()));
  ASSERT_EQ(device.losses.size(), cpu.losses.size());
  for (std::size_t i = 0; i < cpu.losses.size(); ++i) {
    EXPECT_NEAR(device.losses[i], cpu.losses[i], 2e-5 * cpu.losses[i]) << "step " << i;
    EXPECT_NEAR(device.norms[i], cpu.norms[i], 2e-5 * cpu.norms[i]) << "step " << i;
  }
  expect_alike(device.learnt, cpu.learnt, 2e-4);
}

TEST_P(DeviceTraining, GivesTheSameBitsReplayedOrNotInEveryOrder) {
  TinyOptions wanted = on_device(options());
  wanted.train.replay = false;
  const Outcome launched = outcome_of(wanted);
  wanted.train.replay = true;
  for (const std::uint64_t order : {0, 1, 2, 3, 4, 5})
    expect_same(outcome_of(wanted, order), launched);
}

TEST_P(DeviceTraining, ResumesWithTheSameBits) {
  const TinyOptions wanted = on_device(options());
  const Outcome whole = outcome_of(wanted);
  const simt::HostKeepsOut keeps_out;
  const TemporaryDirectory directory;
  TinyRun first(wanted, directory.path());
  first.run({.stop = [&] { return first.trainer.counters().step >= 10; }});
  TinyRun second(wanted, directory.path());
  ASSERT_TRUE(second.resume());
  second.run();
  EXPECT_EQ(second.records.size(), 10U);
  EXPECT_EQ(second.learnt(), whole.learnt);
  EXPECT_EQ(second.remembered(), whole.remembered);
}

// The batch after a step's is fetched before that step is done, which it must not cost.
TEST_P(DeviceTraining, KeepsTheStepsBeforeUnreadableSamples) {
  const TinyOptions wanted = on_device(options());
  const Outcome whole = outcome_of(wanted);
  const simt::HostKeepsOut keeps_out;
  for (Index batch = 6 * GetParam().accumulate; batch < 7 * GetParam().accumulate; ++batch) {
    const TemporaryDirectory directory;
    TinyRun first(wanted, directory.path());
    first.source.unreadable = {batch};
    EXPECT_ERROR(ErrorCode::format, "cannot be read", first.run());
    TinyRun second(wanted, directory.path());
    ASSERT_TRUE(second.resume());
    EXPECT_EQ(second.trainer.counters().step, 6);
    second.run();
    EXPECT_EQ(second.learnt(), whole.learnt);
    EXPECT_EQ(second.remembered(), whole.remembered);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Optimizers, DeviceTraining,
    testing::Values(
        Recipe{"nesterov", {.kind = OptimizerKind::sgd, .momentum = 0.9, .nesterov = true}},
        Recipe{"rmsprop", {.kind = OptimizerKind::rmsprop, .momentum = 0.8, .weight_decay = 0.01}},
        Recipe{"adam", {.kind = OptimizerKind::adam}, 3},
        Recipe{"adamw",
               {.kind = OptimizerKind::adamw, .weight_decay = 0.1, .clip = 0.05, .average = 0.9}}),
    [](const auto& info) { return info.param.name; });

TEST(DeviceEngine, ReplaysWholeStepsAndTakesNoMemoryAfterTheFirst) {
  const simt::HostKeepsOut keeps_out;
  TinyRun run(on_device());
  const simt::DeviceCounts before = simt::device_counts();
  simt::DeviceCounts first{};
  run.run({.step = [&](const StepRecord& record) {
    if (record.step == 0) first = simt::device_counts();
  }});
  const simt::DeviceCounts& after = simt::device_counts();
  EXPECT_EQ(after.allocations, before.allocations);
  EXPECT_EQ(after.captures, before.captures + 1);
  EXPECT_EQ(after.replays, before.replays + 19);
  EXPECT_EQ(after.launches - first.launches, first.launches - before.launches);  // as recorded
  EXPECT_EQ(run.trainer.refusal(), "");
}

// Whether the driver says so when recording begins or when it ends, in steps of one batch or more.
TEST(DeviceEngine, LaunchesKernelByKernelWhereRecordingIsRefused) {
  for (const Index accumulate : {1, 3}) {
    TinyOptions options = on_device();
    options.train.accumulate = accumulate;
    const Outcome replayed = outcome_of(options);
    for (const auto when : {simt::Refusal::at_begin, simt::Refusal::at_end}) {
      simt::refuse_capture(when);
      const simt::HostKeepsOut keeps_out;
      TinyRun run(options);
      const int replays = simt::device_counts().replays;
      EXPECT_NO_THROW(run.run());
      simt::refuse_capture(simt::Refusal::none);
      EXPECT_EQ(simt::device_counts().replays, replays);
      EXPECT_EQ(run.trainer.refusal(), "the device's double: recording is refused");
      expect_same(outcome_of(run), replayed);
    }
  }
}

// What the waits are for: without them some order gives other numbers. With four batches a step a
// slot is filled again before the device's work was waited for.
TEST(DeviceEngine, AMissingWaitGivesWrongNumbers) {
  TinyOptions options = on_device();
  options.train.accumulate = 4;
  const Outcome right = outcome_of(options);
  for (const auto forgets :
       {simt::Forgets::waits_between_queues, simt::Forgets::waits_of_the_host}) {
    int wrong = 0;
    for (const std::uint64_t order : {0, 2, 3}) {
      simt::set_forgets(forgets);
      wrong += outcome_of(options, order).losses != right.losses ? 1 : 0;
      simt::set_forgets(simt::Forgets::nothing);
    }
    EXPECT_GT(wrong, 0) << static_cast<int>(forgets);
  }
}

// Batch 7 is spoilt: the step that meets it changes nothing, on both.
TEST(DeviceEngine, SkipsAStepThatIsNotFinite) {
  for (const Index accumulate : {1, 2}) {
    TinyOptions options{.optimizer = {.kind = OptimizerKind::adamw, .average = 0.9}};
    options.train.max_skipped = 1;
    options.train.accumulate = accumulate;
    std::vector<Outcome> outcomes;
    for (const Device& device : {Device::cpu(), Device::cuda(0)}) {
      options.device = device;
      const simt::HostKeepsOut keeps_out;
      TinyRun run(options);
      run.source.spoilt = {7};
      run.run();
      EXPECT_EQ(run.trainer.counters().skipped, 1);
      EXPECT_EQ(run.optimizer.updates(), 19);
      EXPECT_TRUE(run.records[static_cast<std::size_t>(7 / accumulate)].skipped);
      outcomes.push_back(outcome_of(run));
    }
    expect_alike(outcomes[1].learnt, outcomes[0].learnt, 2e-4);
    expect_alike(outcomes[1].remembered, outcomes[0].remembered, 2e-4);
  }
}

TEST(DeviceEngine, NamesTheOperationThatIsNotFinite) {
  std::vector<std::string> messages;
  for (const Device& device : {Device::cpu(), Device::cuda(0)}) {
    const simt::HostKeepsOut keeps_out;
    TinyRun run({.device = device});
    run.source.spoilt = {3};
    try {
      run.run();
      ADD_FAILURE() << "nothing was noticed";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::numeric);
      messages.emplace_back(error.what());
    }
  }
  const auto named = [](const std::string& message) {
    return message.substr(message.find("the first result"),
                          message.find(": output") - message.find("the first result"));
  };
  ASSERT_EQ(messages.size(), 2U);
  EXPECT_EQ(named(messages[1]), named(messages[0]));
  EXPECT_NE(messages[1].find("sample-"), std::string::npos);
}

TEST(DeviceEngine, EvaluatesTheAverageInTheWeightsPlace) {
  const OptimizerOptions optimizer{.kind = OptimizerKind::sgd, .average = 0.5};
  const simt::HostKeepsOut keeps_out;
  TinyRun run(on_device({.optimizer = optimizer}));
  run.run();
  const std::vector<float> weights = run.learnt();
  run.optimizer.swap_average();
  const std::vector<float> average = run.learnt();
  EXPECT_NE(average, weights);
  run.optimizer.swap_average();
  EXPECT_EQ(run.learnt(), weights);
  TinyRun cpu({.optimizer = optimizer});
  cpu.run();
  cpu.optimizer.swap_average();
  expect_alike(average, cpu.learnt(), 2e-4);
}

TEST(DeviceEngine, TimesStepsByEvents) {
  const simt::HostKeepsOut keeps_out;
  TinyRun run(on_device());
  run.executor.profile(true);
  const std::size_t ranges = simt::device_ranges().size();
  run.run();
  double seconds = 0;
  for (const StepTime& time : run.executor.times()) {
    EXPECT_EQ(time.runs, 20);
    seconds += time.seconds;
  }
  EXPECT_GT(seconds, 0);
  const std::size_t steps = run.executor.plan().steps().size();
  ASSERT_EQ(simt::device_ranges().size(), ranges + 20 * steps);
  EXPECT_EQ(simt::device_ranges()[ranges], run.executor.plan().steps()[0].label);

  const UploadTimes uploads = run.executor.upload_times();
  EXPECT_EQ(uploads.uploads, 18);  // the last two slots are never filled again
  EXPECT_GT(uploads.bytes, 0U);
  int lanes[2] = {};
  const Json trace = trace_of(run.executor);
  for (const Json& event : trace["traceEvents"])
    if (event["ph"] == "X") ++lanes[event["tid"].get<int>()];
  EXPECT_EQ(lanes[0], static_cast<int>(steps));
  EXPECT_EQ(lanes[1], 1);
}

TEST(DeviceEngine, TooLittleMemorySaysHowMuchIsMissing) {
  simt::set_device_bytes(2000);
  try {
    const TinyRun run(on_device());
    ADD_FAILURE() << "there was enough";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::memory);
    const std::string what = error.what();
    EXPECT_NE(what.find("double of a device has "), std::string::npos) << what;
    EXPECT_NE(what.find(" are missing"), std::string::npos) << what;
  }
  simt::set_device_bytes(0);
}

TEST(DeviceEngine, PlanAndParametersMustBeOnOneDevice) {
  Graph graph;
  const Value loss = test::tiny_model(graph);
  Parameters parameters(graph);
  const auto plan =
      std::make_shared<Plan>(compile(graph, {.loss = loss, .stream = {.device = Device::cuda(0)}}));
  EXPECT_THROW(Executor(plan, parameters), Error);
  EXPECT_THROW(Optimizer(parameters, {}, {.device = Device::cuda(0)}), Error);
}

// The 3-D autoencoder of moving digits, as the command trains it, only smaller.
struct DigitsRun {
  std::vector<double> losses;
  double held_out = 0;

  DigitsRun(const std::string& device, Index steps, bool replay = true) {
    simt::set_queue_order(2);
    const simt::HostKeepsOut keeps_out;
    TrainingParts parts(
        resolve({.file = "moving-digits",
                 .sets = {"train.device=" + device, "train.threads=1", "data.workers=0",
                          "data.frames=4", "data.height=28", "data.width=28", "data.clips=12",
                          "data.digits=1", "model.widths=[4, 4]", "model.spatial_levels=1"}}));
    Trainer trainer(*parts.executor, *parts.parameters, *parts.optimizer, *parts.source,
                    {.steps = steps, .schedule = {.rate = 1e-2}, .replay = replay});
    trainer.run({.step = [&](const StepRecord& record) { losses.push_back(record.loss); }});
    EXPECT_EQ(trainer.refusal(), "");
    held_out = Evaluator(parts.config, parts.data.held_out, 0, *parts.parameters).run().loss;
    simt::set_queue_order(0);
  }
};

// The loss falls on both alike: rounding parted the runs by 1.2e-7 of it when this was written.
TEST(DeviceEngine, TrainsTheAutoencoderOfMovingDigitsAsTheCpuDoes) {
  constexpr Index steps = 10;
  const DigitsRun cpu("cpu", steps), device("cuda", steps);
  ASSERT_EQ(device.losses.size(), cpu.losses.size());
  for (std::size_t i = 0; i < cpu.losses.size(); ++i)
    EXPECT_NEAR(device.losses[i], cpu.losses[i], 1e-5 * cpu.losses[i]) << "step " << i;
  EXPECT_LT(device.losses.back(), 0.9 * device.losses.front());
  EXPECT_NEAR(device.held_out, cpu.held_out, 1e-5 * cpu.held_out);
  EXPECT_EQ(DigitsRun("cuda", 4, false).losses,
            std::vector<double>(device.losses.begin(), device.losses.begin() + 4));
}

// On a device a step is one piece of work, so that its parts are the wait for data and the rest.
TEST(DeviceEngine, BenchSaysHowLongTheDeviceComputes) {
  const TemporaryDirectory directory;
  const std::string figures = (directory / "figures.json").string();
  CLI::App app;
  add_bench(app);
  testing::internal::CaptureStdout();
  app.parse(text("bench moving-digits --seconds 0.01 --out ", figures,
                 " --set train.device=cuda --set train.threads=1 --set train.batch=2"
                 " --set data.workers=0 --set data.frames=4 --set data.height=28"
                 " --set data.width=28 --set data.clips=12 --set data.digits=1"
                 " --set model.widths=[2] --set model.spatial_levels=0"));
  const std::string said = testing::internal::GetCapturedStdout();
  const Json json = Json::parse(read_file(figures, 1 << 20));
  const Json& split = json["split_seconds"];
  ASSERT_EQ(split.size(), 2U) << split;
  EXPECT_GT(split["compute"].get<double>(), 0.5 * json["step_seconds"]["low"].get<double>());
  EXPECT_TRUE(split.contains("data"));
  EXPECT_NE(said.find("  compute "), std::string::npos) << said;
}

TEST(DeviceEngine, TooLargeABatchNamesTheOneThatFits) {
  const Config config =
      resolve({.file = "moving-digits", .sets = {"train.device=cuda", "train.batch=64"}});
  simt::set_device_bytes(Bytes{150} << 20);
  try {
    TrainingParts parts(config);
    ADD_FAILURE() << "there was enough";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::memory);
    const std::string what = error.what();
    EXPECT_NE(what.find("train.batch 64 needs "), std::string::npos) << what;
    EXPECT_NE(what.find(" are missing; the largest batch that fits is "), std::string::npos)
        << what;
  }
  simt::set_device_bytes(0);
}

TEST(DeviceEngine, DevicesHaveNames) {
  TrainConfig train;
  train.device = "cuda:3";
  EXPECT_EQ(device_of(train), Device::cuda(3));
  EXPECT_EQ(open_device(train), "double of a device");
  for (const char* wrong : {"gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:1x"}) {
    train.device = wrong;
    EXPECT_THROW(device_of(train), Error) << wrong;
  }
}

// What the engine does to buffers: every path of the kernels.
void buffers_on_device() {
  for (const Index size : {1, 5, 1030}) {
    for (const Bytes skew : {Bytes{0}, Bytes{4}}) {
      const Bytes bytes = static_cast<Bytes>(size) * sizeof(float) + skew;
      const simt::DeviceMemory y(bytes), x(bytes), verdict(sizeof(float));
      const auto of = [&](const simt::DeviceMemory& memory) {
        return Tensor{static_cast<std::byte*>(memory.data) + skew, DType::f32, {size}};
      };
      const Tensor flag{verdict.data, DType::f32, {1}};
      const Stream stream{.device = Device::cuda(0)};
      const auto expect_all = [&](float value) {
        for (Index i = 0; i < size; ++i) EXPECT_EQ(of(y).as<float>()[i], value);
      };
      {
        const simt::HostKeepsOut keeps_out;
        fill(stream, of(y), 2);
        fill(stream, of(x), 3);
        accumulate(stream, of(y), of(x));
        fill(stream, flag, 0);
        restore_where_nan(stream, flag, of(y), of(x));
      }
      expect_all(5);
      {
        const simt::HostKeepsOut keeps_out;
        fill(stream, flag, std::numeric_limits<float>::quiet_NaN());
        restore_where_nan(stream, flag, of(y), of(x));
      }
      expect_all(3);
    }
  }
}

const bool runs_kernels = (test::device_programs().push_back(buffers_on_device), true);

TEST(DeviceEngine, BuffersAreFilledAddedAndRestored) { buffers_on_device(); }

}  // namespace
}  // namespace framefold

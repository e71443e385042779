// Paths chosen by time: by a clock of the tests' own, kept in files, and harmless to results.
#include "engine/choice.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>

#include "engine/executor.h"
#include "engine/ops.h"
#include "io/file.h"
#include "io/safetensors.h"
#include "kernels/vendor.h"
#include "tests/temporary.h"

namespace framefold {
namespace {

// Two layers of one shape, one of another.
struct Net {
  Graph graph;
  Value loss;

  Net() {
    const Value x = graph.input("x", {DType::f32, {6, 24}});
    const Value target = graph.input("target", {DType::f32, {6, 10}});
    Value y = x;
    const auto layer = [&](const std::string& name, Index in, Index out, Activation activation) {
      const Value weight = graph.parameter(name + ".weight", {in, out}, Init::normal(0.2));
      const Value bias = graph.parameter(name + ".bias", {out}, Init::normal(0.2));
      y = linear(graph, y, weight, bias, activation);
    };
    layer("a", 24, 24, Activation::tanh);
    layer("b", 24, 24, Activation::tanh);
    layer("c", 24, 10, Activation::none);
    loss = mse(graph, y, target);
  }
  std::shared_ptr<const Plan> plan(Path path = Path::automatic, bool both = true) const {
    return std::make_shared<Plan>(
        compile(graph, {.loss = loss, .stream = {.threads = 2, .path = path}, .both_paths = both}));
  }
};

bool has_vendor() { return !vendor_libraries({}).empty(); }

#define NEEDS_VENDOR() \
  if (!has_vendor()) GTEST_SKIP() << "this build has no vendor's path on the CPU"

// The vendor's path takes half of ours in the steps of `winner`, twice as much in all others.
StepTimer clock_for(const Plan& plan, const std::string& winner, int* calls = nullptr) {
  return [&plan, winner, calls](Path path) {
    if (calls != nullptr) ++*calls;
    std::vector<double> seconds;
    for (const Step& step : plan.steps()) {
      const bool wins = signature_of(plan, step).find(winner) != std::string::npos;
      seconds.push_back(path == Path::native ? 2 : wins ? 1 : 4);
    }
    return seconds;
  };
}

TEST(Choice, StepsOfOneShapeTakeOnePathTheFasterOne) {
  NEEDS_VENDOR();
  const auto plan = Net().plan();
  Choices choices;
  int calls = 0;
  const auto rows = choose(*plan, choices, clock_for(*plan, "[24, 10]", &calls));
  EXPECT_EQ(calls, 8);
  // Forward of a and b, forward of c, backward of each: a's input wants no gradient.
  ASSERT_EQ(rows.size(), 5U);
  EXPECT_EQ(rows[0].steps, 2);
  EXPECT_EQ(rows[0].native, 4);
  EXPECT_EQ(rows[0].vendor, 8);
  EXPECT_EQ(rows[0].path, Path::native);
  EXPECT_EQ(rows[1].steps, 1);
  EXPECT_EQ(rows[1].path, Path::vendor);
  const std::vector<Path> paths = paths_of(*plan, choices);
  for (std::size_t s = 0; s < paths.size(); ++s) {
    const std::string signature = signature_of(*plan, plan->steps()[s]);
    const Path expected = signature.empty()                                 ? Path::automatic
                          : signature.find("[24, 10]") == std::string::npos ? Path::native
                                                                            : Path::vendor;
    EXPECT_EQ(paths[s], expected) << plan->steps()[s].label << ": " << signature;
  }
}

TEST(Choice, EqualTimesLeaveOursAndKnownChoicesAreNotTimed) {
  NEEDS_VENDOR();
  const auto plan = Net().plan();
  Choices choices;
  for (const ChoiceRow& row :
       choose(*plan, choices, [&](Path) { return std::vector<double>(plan->steps().size(), 1); }))
    EXPECT_EQ(row.path, Path::native);
  Choices pinned = choices;
  for (auto& [signature, path] : pinned) path = Path::vendor;
  const Choices before = pinned;
  const auto rows = choose(*plan, pinned, [](Path) -> std::vector<double> {
    throw std::logic_error("timed what is known");
  });
  EXPECT_EQ(pinned, before);
  for (const ChoiceRow& row : rows) EXPECT_EQ(row.path, Path::vendor);

  // One that is missing is measured, the others stay.
  const std::string missing = pinned.begin()->first;
  pinned.erase(missing);
  choose(*plan, pinned, clock_for(*plan, "nobody"));
  EXPECT_EQ(pinned[missing], Path::native);
  pinned[missing] = Path::vendor;
  EXPECT_EQ(pinned, before);
}

// The slowest of the rounds, which loads and warms, does not count.
TEST(Choice, TheFastestRoundCounts) {
  NEEDS_VENDOR();
  const auto plan = Net().plan();
  Choices choices;
  int round = 0;
  const auto rows = choose(*plan, choices, [&](Path path) {
    const double first = round++ < 2 ? 100 : 0;
    return std::vector<double>(plan->steps().size(), path == Path::vendor ? 1 + first : 2);
  });
  for (const ChoiceRow& row : rows) EXPECT_EQ(row.path, Path::vendor);
}

// Twice x, by paths of which backward needs its own forward.
class Twice final : public Op {
 public:
  std::string_view name() const override { return "twice"; }
  Types infer(const Types& in) const override { return in; }
  Needs needs(const Stream&, const Types&, const Types&) const override {
    Needs needs;
    needs.differentiable = {0};
    return needs;
  }
  void forward(Run&) const override {}
  void backward(Run&) const override {}
  double forward_flops(const Types&, const Types&) const override { return 0; }
  std::optional<std::string> vendor_attributes(const Stream&, const Types&) const override {
    return "";
  }
  bool one_path_both_ways() const override { return true; }
};

TEST(Choice, DirectionsThatNeedEachOtherAreOneChoiceByTheirSum) {
  Graph graph;
  const Value x = graph.input("x", {DType::f32, {4, 3}});
  const Value weight = graph.parameter("w", {3}, Init::normal(1));
  const Value y = graph.one(std::make_shared<Twice>(), {add(graph, x, weight)});
  const Value loss = mse(graph, y, graph.input("target", {DType::f32, {4, 3}}));
  const Plan plan = compile(graph, {.loss = loss});
  Choices choices;
  const auto rows = choose(plan, choices, [&](Path path) {
    std::vector<double> seconds;
    for (const Step& step : plan.steps())
      seconds.push_back(path == Path::native ? 3 : step.kind == Step::Kind::backward ? 1 : 4);
    return seconds;
  });
  const auto row = std::ranges::find_if(
      rows, [](const ChoiceRow& one) { return one.signature.starts_with("twice, "); });
  ASSERT_NE(row, rows.end());
  EXPECT_EQ(row->steps, 2);
  EXPECT_EQ(row->native, 6);
  EXPECT_EQ(row->vendor, 5);
  EXPECT_EQ(row->path, Path::vendor);
}

TEST(Choice, FilesReturnWhatWasWritten) {
  const TemporaryDirectory directory;
  const auto path = directory.path() / "paths.safetensors";
  const Choices choices{{"matmul forward, f32 [6, 24]", Path::vendor}, {"other", Path::native}};
  write_choices(path, "this one, 2 threads", choices);
  EXPECT_EQ(read_choices(path, "this one, 2 threads"), choices);
  EXPECT_EQ(read_choices(path, ""), choices);
  EXPECT_ERROR(ErrorCode::format, "was measured on \"this one, 2 threads\"",
               read_choices(path, "this one, 1 thread"));
  write_choices(path, "none", {});
  EXPECT_TRUE(read_choices(path, "none").empty());
}

TEST(Choice, DamagedAndForeignFilesAreRefused) {
  const TemporaryDirectory directory;
  const auto path = directory.path() / "paths.safetensors";
  write_choices(path, "machine", {{"matmul", Path::vendor}});
  const std::string whole = read_file(path, 1 << 16);
  const auto put = [&](const std::string& bytes) { std::ofstream(path) << bytes; };
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    put(damaged);
    EXPECT_THROW(read_choices(path, "machine"), Error) << "byte " << at;
  }
  for (std::size_t left = 0; left < whole.size(); ++left) {
    put(whole.substr(0, left));
    EXPECT_THROW(read_choices(path, "machine"), Error) << left << " bytes";
  }
  write_safetensors(path, {}, {{"framefold.step", "3"}});
  EXPECT_ERROR(ErrorCode::format, "holds no choices", read_choices(path, ""));
  write_safetensors(path, {}, {{"framefold.machine", "m"}, {"matmul", "reference"}});
  EXPECT_ERROR(ErrorCode::format, "expected native or vendor", read_choices(path, ""));
}

struct Outcome {
  float loss;
  std::vector<float> gradients;
};

Outcome run(const Net& net, const std::shared_ptr<const Plan>& plan, const Choices& choices) {
  Parameters parameters(net.graph);
  parameters.initialize(1);
  Executor executor(plan, parameters);
  executor.take(paths_of(*plan, choices));
  for (const char* name : {"x", "target"}) {
    const Tensor input = executor.input(name);
    for (Index i = 0; i < input.size(); ++i)
      input.as<float>()[i] = Random{4, 4}.normal(static_cast<std::uint64_t>(i));
  }
  executor.run({});
  return {executor.loss(), {parameters.gradients().begin(), parameters.gradients().end()}};
}

TEST(Choice, EveryChoiceGivesTheReferencesResults) {
  const Net net;
  const auto plan = net.plan();
  const Outcome expected = run(net, net.plan(Path::reference, false), {});
  double square = 0;
  for (const float g : expected.gradients) square += static_cast<double>(g) * g;
  const double scale = std::sqrt(square / static_cast<double>(expected.gradients.size()));
  Choices measured;
  choose(*plan, measured, timer_of(plan));
  Choices mixed = measured;
  bool other = false;
  for (auto& [signature, path] : mixed) path = (other = !other) ? Path::vendor : Path::native;
  for (const Choices& choices : {measured, mixed}) {
    const Outcome given = run(net, plan, choices);
    EXPECT_NEAR(given.loss, expected.loss, 2e-5 * expected.loss);
    ASSERT_EQ(given.gradients.size(), expected.gradients.size());
    for (std::size_t i = 0; i < given.gradients.size(); ++i)
      EXPECT_NEAR(given.gradients[i], expected.gradients[i], 2e-5 * scale) << i;
  }
}

TEST(Choice, TheTimerTimesEveryStepAndLeavesNothingBehind) {
  const Net net;
  const auto plan = net.plan();
  const Bytes before = tensor_memory();
  {
    const StepTimer timer = timer_of(plan);
    for (const Path path : {Path::native, Path::vendor}) {
      const std::vector<double> seconds = timer(path);
      ASSERT_EQ(seconds.size(), plan->steps().size());
      for (const double s : seconds) EXPECT_GE(s, 0);
    }
  }
  EXPECT_EQ(tensor_memory(), before);
}

TEST(Choice, AnExecutorTakesAPathForEveryStep) {
  const Net net;
  Parameters parameters(net.graph);
  Executor executor(net.plan(), parameters);
  EXPECT_ERROR(ErrorCode::argument, "1 paths for", executor.take({Path::native}));
}

}  // namespace
}  // namespace framefold

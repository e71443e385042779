#include "engine/checkpoint.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <limits>

#include "io/file.h"
#include "io/safetensors.h"
#include "tests/temporary.h"
#include "tests/tiny_run.h"

namespace framefold {
namespace {

namespace fs = std::filesystem;
using test::TinyOptions;
using test::TinyRun;

const TinyOptions adam_with_average = {.optimizer = {.average = 0.9}};

void flip_byte(const fs::path& path, std::streamoff from_end) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(-from_end, std::ios::end);
  const auto byte = static_cast<char>(file.get() ^ 0x10);
  file.seekp(-from_end, std::ios::end);
  file.put(byte);
}

// A run that has learnt something.
struct Trained : TinyRun {
  explicit Trained(const fs::path& directory = {}, const TinyOptions& options = adam_with_average)
      : TinyRun(options, directory) {
    run();
  }
};

TEST(Checkpoint, RestoresEverything) {
  const TemporaryDirectory directory;
  Trained trained;
  const Counters counters{.seed = 0xFEDCBA9876543210U,
                          .step = 123,
                          .epoch = 20,
                          .skipped = 2,
                          .metric = 0.1,
                          .best = 1.0 / 3,
                          .config = "a = \"b\"\n# \xC3\xA9\n"};
  save_checkpoint(directory / "file", trained.parameters, trained.optimizer, counters);
  TinyRun other(adam_with_average);
  EXPECT_NE(other.learnt(), trained.learnt());
  EXPECT_EQ(load_checkpoint(directory / "file", other.parameters, other.optimizer), counters);
  EXPECT_EQ(other.learnt(), trained.learnt());
  EXPECT_EQ(other.remembered(), trained.remembered());
  EXPECT_EQ(other.optimizer.updates(), 20);
  EXPECT_EQ(read_counters(directory / "file"), counters);

  save_checkpoint(directory / "without", trained.parameters, trained.optimizer, {});
  EXPECT_EQ(read_counters(directory / "without"), Counters());
}

TEST(Checkpoint, DamageIsFoundBeforeAnythingChanges) {
  const TemporaryDirectory directory;
  const Trained trained;
  save_checkpoint(directory / "file", trained.parameters, trained.optimizer, {});
  for (const std::streamoff from_end : {1, 100, 1000}) {
    flip_byte(directory / "file", from_end);
    TinyRun other(adam_with_average);
    const std::vector<float> before = other.learnt();
    EXPECT_ERROR(ErrorCode::format, "file",
                 load_checkpoint(directory / "file", other.parameters, other.optimizer));
    EXPECT_ERROR(ErrorCode::format, "file", load_weights(directory / "file", other.parameters));
    EXPECT_EQ(other.learnt(), before);
    flip_byte(directory / "file", from_end);
  }
  fs::resize_file(directory / "file", fs::file_size(directory / "file") - 1);
  TinyRun other(adam_with_average);
  EXPECT_ERROR(ErrorCode::format, "file",
               load_checkpoint(directory / "file", other.parameters, other.optimizer));
}

TEST(Checkpoint, ListsTensorsThatDoNotFit) {
  const TemporaryDirectory directory;
  Graph graph;
  graph.parameter("same", {2}, Init::zeros());
  graph.parameter("shape", {3}, Init::zeros());
  graph.parameter("gone", {4}, Init::zeros());
  Parameters parameters(graph);
  Optimizer optimizer(parameters, {.kind = OptimizerKind::sgd}, {});
  save_checkpoint(directory / "file", parameters, optimizer, {});

  Graph other;
  other.parameter("same", {2}, Init::ones());
  other.parameter("shape", {5}, Init::ones());
  other.parameter("added", {4}, Init::ones());
  Parameters wanted(other);
  wanted.initialize(0);
  Optimizer with_momentum(wanted, {.kind = OptimizerKind::sgd, .momentum = 0.5}, {});
  const auto expect_list = [&](const auto& load, const std::string& part) {
    EXPECT_ERROR(ErrorCode::shape, part, load());
    EXPECT_EQ(wanted.value("same").as<float>()[0], 1);
  };
  const auto weights = [&] { load_weights(directory / "file", wanted); };
  expect_list(weights, "missing: added;");
  expect_list(weights, "misshapen: shape is F32 [3], expected f32 [5];");
  expect_list(weights, "unknown: gone");
  expect_list([&] { load_checkpoint(directory / "file", wanted, with_momentum); },
              "missing: added, optimizer.momentum/same, optimizer.momentum/shape, "
              "optimizer.momentum/added;");
}

TEST(Checkpoint, LongListsAreCutShort) {
  const TemporaryDirectory directory;
  write_safetensors(directory / "file", {});
  Graph graph;
  for (int i = 10; i < 21; ++i) graph.parameter(text("p", i), {1}, Init::zeros());
  Parameters parameters(graph);
  EXPECT_ERROR(ErrorCode::shape, "missing: p10, p11, p12, p13, p14, p15, p16, p17 and 3 more",
               load_weights(directory / "file", parameters));
}

TEST(Checkpoint, WantsTheOptimiserThatWroteIt) {
  const TemporaryDirectory directory;
  const Trained trained;
  save_checkpoint(directory / "file", trained.parameters, trained.optimizer, {});
  TinyRun other({.optimizer = {.kind = OptimizerKind::adamw, .average = 0.9}});
  EXPECT_ERROR(ErrorCode::config, "optimiser adam, this configuration says adamw",
               load_checkpoint(directory / "file", other.parameters, other.optimizer));
}

TEST(Checkpoint, WeightsAloneWantNoOptimiser) {
  const TemporaryDirectory directory;
  Trained trained;
  save_checkpoint(directory / "file", trained.parameters, trained.optimizer, {.step = 20});
  Parameters evaluated(trained.graph, false);
  const auto equal = [&](std::span<const float> expected) {
    return std::ranges::equal(evaluated.values(), expected);
  };
  EXPECT_EQ(load_weights(directory / "file", evaluated, /*average=*/false).step, 20);
  EXPECT_TRUE(equal(trained.parameters.values()));
  EXPECT_TRUE(std::ranges::equal(evaluated.buffers(), trained.parameters.buffers()));
  load_weights(directory / "file", evaluated);
  EXPECT_FALSE(equal(trained.parameters.values()));
  trained.optimizer.swap_average();
  EXPECT_TRUE(equal(trained.parameters.values()));
}

TEST(Checkpoint, WeightsAreReadFromAnyonesFile) {
  const TemporaryDirectory directory;
  Graph graph;
  graph.parameter("w", {2}, Init::zeros());
  Parameters parameters(graph, false);
  const float numbers[] = {3, 4};
  const std::string header = R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  std::ofstream file(directory / "file", std::ios::binary);
  const std::uint64_t length = header.size();
  file.write(reinterpret_cast<const char*>(&length), 8) << header;
  file.write(reinterpret_cast<const char*>(numbers), 8);
  file.close();
  EXPECT_EQ(load_weights(directory / "file", parameters), Counters());
  EXPECT_EQ(parameters.value("w").as<float>()[1], 4);
  Parameters trained(graph);
  Optimizer optimizer(trained, {}, {});
  EXPECT_ERROR(ErrorCode::format, "carries no framefold.hash",
               load_checkpoint(directory / "file", trained, optimizer));
  EXPECT_ERROR(ErrorCode::format, "no checkpoint of a run", read_counters(directory / "file"));
}

TEST(Checkpoint, CountersMustBeNumbers) {
  const TemporaryDirectory directory;
  write_safetensors(directory / "file", {},
                    {{"framefold.checkpoint", "1"}, {"framefold.seed", "12x"}});
  EXPECT_ERROR(ErrorCode::format, "framefold.seed is \"12x\", expected a number",
               read_counters(directory / "file"));
  write_safetensors(directory / "file", {}, {{"framefold.checkpoint", "9"}});
  EXPECT_ERROR(ErrorCode::format, "version 9", read_counters(directory / "file"));
}

TEST(Checkpoint, CountersMustCountWhatARunCouldDo) {
  const TemporaryDirectory directory;
  TinyRun run;
  for (const Index count : {Index{-1}, std::numeric_limits<Index>::max()}) {
    save_checkpoint(directory / "file", run.parameters, run.optimizer, {.step = count});
    EXPECT_ERROR(ErrorCode::format, text("framefold.step is ", count),
                 load_checkpoint(directory / "file", run.parameters, run.optimizer));
    run.optimizer.set_updates(count);
    save_checkpoint(directory / "file", run.parameters, run.optimizer, {});
    EXPECT_ERROR(ErrorCode::format, text("framefold.updates is ", count),
                 load_checkpoint(directory / "file", run.parameters, run.optimizer));
  }
}

// A directory of checkpoints under a run that is moved to any step.
class RunDirectory : public testing::Test {
 protected:
  fs::path save(Index step, std::optional<double> metric = std::nullopt) {
    return checkpoints.save(run.parameters, run.optimizer, {.step = step, .metric = metric});
  }
  std::vector<Index> steps() {
    std::vector<Index> found;
    for (const std::string& name : directory.names())
      found.push_back(read_counters(directory / name).step);
    std::sort(found.begin(), found.end());
    return found;
  }
  using Steps = std::vector<Index>;

  TemporaryDirectory directory;
  TinyRun run;
  Checkpoints checkpoints{directory.path(), 2};
};

TEST_F(RunDirectory, KeepsTheLastAndTheBest) {
  EXPECT_FALSE(checkpoints.newest());
  EXPECT_FALSE(checkpoints.best());
  save(1, 5.0);
  save(2, 3.0);
  save(3);
  EXPECT_EQ(steps(), (Steps{2, 3}));
  save(4, 3.5);
  save(5, 4.0);
  EXPECT_EQ(steps(), (Steps{2, 4, 5}));
  EXPECT_EQ(*checkpoints.best(), directory / "step-00000002.safetensors");
  save(6, 2.0);
  EXPECT_EQ(steps(), (Steps{5, 6}));
  EXPECT_EQ(checkpoints.newest()->path, directory / "step-00000006.safetensors");
  EXPECT_TRUE(checkpoints.newest()->damaged.empty());
}

TEST_F(RunDirectory, StepsAreNumbersNotNames) {
  save(99'999'999);
  save(100'000'000);
  EXPECT_EQ(checkpoints.newest()->path, directory / "step-100000000.safetensors");
}

TEST_F(RunDirectory, PassesOverDamagedFiles) {
  const fs::path oldest = save(1, 1.0);
  const fs::path older = save(2, 2.0);
  const fs::path newest = save(3, 3.0);
  flip_byte(newest, 8);
  auto found = checkpoints.newest();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->path, older);
  ASSERT_EQ(found->damaged.size(), 1U);
  EXPECT_NE(found->damaged[0].find(newest.string()), std::string::npos) << found->damaged[0];

  fs::resize_file(older, 0);  // what a power cut may leave where nothing is synced
  found = checkpoints.newest();
  EXPECT_EQ(found->path, oldest);
  EXPECT_EQ(found->damaged.size(), 2U);

  flip_byte(oldest, 8);
  EXPECT_ERROR(ErrorCode::format, "all 3 checkpoints", checkpoints.newest());
  EXPECT_FALSE(checkpoints.best());
}

TEST_F(RunDirectory, TheBestIsTheBestThatCanBeRead) {
  const fs::path best = save(1, 1.0);
  const fs::path second = save(2, 2.0);
  EXPECT_EQ(*checkpoints.best(), best);
  flip_byte(best, 8);
  EXPECT_EQ(*checkpoints.best(), second);
}

TEST_F(RunDirectory, RemovesLaterStepsAndLeftovers) {
  save(10);
  flip_byte(save(20), 8);
  std::ofstream(directory / "step-00000030.safetensors.123-0.partial") << "cut";
  std::ofstream(directory / "step-notes.safetensors") << "a user's own";
  EXPECT_EQ(checkpoints.newest()->path, directory / "step-00000010.safetensors");
  save(15);
  std::vector<std::string> names = directory.names();
  std::sort(names.begin(), names.end());
  EXPECT_EQ(names,
            (std::vector<std::string>{"step-00000010.safetensors", "step-00000015.safetensors",
                                      "step-notes.safetensors"}));
}

TEST_F(RunDirectory, AFolderThatCannotBeReadIsNotEmpty) {
  EXPECT_FALSE(Checkpoints(directory / "absent", 1).newest());
  write_file(directory / "file", "");
  const Checkpoints unread(directory / "file", 1);
  EXPECT_ERROR(ErrorCode::file, "cannot read the folder", unread.newest());
  EXPECT_ERROR(ErrorCode::file, "cannot read the folder", unread.best());
}

TEST_F(RunDirectory, MustKeepOne) {
  EXPECT_ERROR(ErrorCode::config, "0 are to be kept", Checkpoints(directory.path(), 0));
}

// The system refuses to write past a size: as on a full disk, the file cannot be completed.
TEST_F(RunDirectory, ARefusedWriteKeepsTheOlderCheckpoint) {
  const fs::path older = save(1);
  rlimit before = {};
  getrlimit(RLIMIT_FSIZE, &before);
  const auto signal_before = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit low = {1000, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &low);
  EXPECT_ERROR(ErrorCode::file, "step-00000002.safetensors", save(2));
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, signal_before);
  EXPECT_EQ(directory.names().size(), 1U);
  EXPECT_EQ(checkpoints.newest()->path, older);
  EXPECT_NO_THROW(load_checkpoint(older, run.parameters, run.optimizer));
}

// In a child process that mounts a small file system of its own, where the system allows it.
enum Outcome : std::uint8_t { kept, not_allowed, never_full, lost, wrong_error };

Outcome fill_a_disk(const fs::path& directory) {
  const bool alone = ::unshare(CLONE_NEWNS) == 0 || ::unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0;
  if (!alone || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      ::mount("tmpfs", directory.c_str(), "tmpfs", 0, "size=32k") != 0)
    return not_allowed;
  TinyRun run;
  Checkpoints checkpoints(directory, 100);
  for (Index step = 1; step < 100; ++step) {
    try {
      checkpoints.save(run.parameters, run.optimizer, {.step = step});
    } catch (const Error& error) {
      if (error.code() != ErrorCode::file ||
          std::string(error.what()).find("No space left") == std::string::npos)
        return wrong_error;
      if (step == 1) return lost;
      const auto found = checkpoints.newest();
      if (!found || !found->damaged.empty()) return lost;
      return load_checkpoint(found->path, run.parameters, run.optimizer).step == step - 1 ? kept
                                                                                          : lost;
    }
  }
  return never_full;
}

TEST(FullDisk, KeepsTheOlderCheckpoint) {
  const TemporaryDirectory directory;
  const pid_t child = ::fork();
  if (child == 0) ::_exit(fill_a_disk(directory.path()));
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == not_allowed)
    GTEST_SKIP() << "FullDisk: this process may not mount a file system";
  EXPECT_EQ(WEXITSTATUS(status), kept);
}

}  // namespace
}  // namespace framefold

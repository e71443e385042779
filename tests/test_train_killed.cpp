// A training process that is killed at random moments, twenty times.
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>

#include <chrono>
#include <csignal>
#include <thread>

#include "cli/stop.h"
#include "tests/temporary.h"
#include "tests/tiny_run.h"

extern char** environ;

namespace framefold {
namespace {

using test::TinyOptions;
using test::TinyRun;

constexpr int kills = 20;

TinyOptions long_run() {
  TinyOptions options{.optimizer = {.kind = OptimizerKind::adamw, .average = 0.99}, .workers = 1};
  options.train.steps = 600;
  options.train.save_every = 2;
  options.train.evaluate_every = 7;
  return options;
}

double metric_at(Index step) { return step % 49 == 0 ? 1.0 / static_cast<double>(step) : 1; }

// This program again, training in a directory.
class Child {
 public:
  explicit Child(std::string directory) {
    std::string program = "/proc/self/exe";
    std::string option = test::train_option;
    char* arguments[] = {program.data(), option.data(), directory.data(), nullptr};
    if (::posix_spawn(&process_, program.c_str(), nullptr, nullptr, arguments, environ) != 0)
      fail(ErrorCode::unavailable, "cannot start ", program);
  }
  void signal(int number) const { ::kill(process_, number); }
  int wait() const {
    int status = 0;
    ::waitpid(process_, &status, 0);
    return status;
  }

 private:
  pid_t process_ = 0;
};

TEST(KilledTraining, EndsWithTheSameWeights) {
  TinyRun undisturbed(long_run());
  undisturbed.run();

  // Moments are spread over what a child takes here and now: on a machine with other work it may
  // not even have begun when an idle one's is done.
  const auto begun = std::chrono::steady_clock::now();
  {
    const TemporaryDirectory directory;
    ASSERT_EQ(Child(directory.path().string()).wait(), 0);
  }
  const std::chrono::duration<double, std::micro> whole = std::chrono::steady_clock::now() - begun;
  const auto latest = static_cast<std::uint32_t>(std::max(150e3, 0.4 * whole.count()));

  const Random random{.seed = static_cast<std::uint64_t>(
                          std::chrono::system_clock::now().time_since_epoch().count())};
  SCOPED_TRACE(text("the moments' seed is ", random.seed));
  int killed = 0;
  int asked = 0;    // and ended with a checkpoint
  int resumed = 0;  // from where another process was killed
  while (killed < kills) {
    const TemporaryDirectory directory;
    const Checkpoints checkpoints(directory.path());
    bool ended = false;
    while (!ended) {
      const auto before = checkpoints.newest();
      const Child child(directory.path().string());
      if (killed < kills) {
        const auto moment =
            std::chrono::microseconds(random.below(static_cast<std::uint64_t>(killed), latest));
        std::this_thread::sleep_for(moment);
        child.signal(killed % 2 == 0 ? SIGKILL : SIGTERM);
      }
      const int status = child.wait();
      ended = WIFEXITED(status) && WEXITSTATUS(status) == 0;
      const bool saved = WIFEXITED(status) && WEXITSTATUS(status) == StopSignal::exit_code;
      ASSERT_TRUE(ended || saved || WIFSIGNALED(status)) << "status " << status;
      if (!ended) ++killed;
      if (saved) ++asked;
      const auto found = checkpoints.newest();
      if (!found) continue;
      EXPECT_TRUE(found->damaged.empty()) << found->damaged.front();
      if (before && found->path != before->path) ++resumed;
    }
    TinyRun last(long_run(), directory.path());
    ASSERT_TRUE(last.resume());
    EXPECT_EQ(last.trainer.counters().step, long_run().train.steps);
    EXPECT_EQ(last.learnt(), undisturbed.learnt());
    EXPECT_EQ(last.remembered(), undisturbed.remembered());
    EXPECT_EQ(last.trainer.counters().best, 1.0 / 588);
  }
  EXPECT_EQ(killed, kills);
  EXPECT_GT(asked, 0);
  EXPECT_GT(resumed, 0);
}

}  // namespace

int test::train_in(const std::filesystem::path& directory) {
  const StopSignal stop;
  TinyRun run(long_run(), directory);
  run.resume();
  const Ending ending = run.run({.evaluate = metric_at, .stop = StopSignal::requested});
  return ending == Ending::interrupted ? StopSignal::exit_code : 0;
}

}  // namespace framefold

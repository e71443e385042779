#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <set>
#include <thread>
#include <vector>

#include "kernels/error.h"
#include "kernels/stream.h"

namespace framefold {
namespace {

std::vector<int> counts(const Stream& stream, Index size) {
  std::vector<int> seen(static_cast<std::size_t>(size));
  parallel_for(stream, size, 1, [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) ++seen[static_cast<std::size_t>(i)];
  });
  return seen;
}

TEST(Threads, EveryElementRunsOnceAtAnyNumberOfThreads) {
  for (const int threads : {1, 2, 3, 7, 16, 2})
    for (const Index size : {0, 1, 2, 5, 16, 1000})
      EXPECT_EQ(counts({Device::cpu(), threads}, size),
                std::vector<int>(static_cast<std::size_t>(size), 1))
          << threads << " threads, " << size << " elements";
}

TEST(Threads, PiecesRunOnThreadsOfTheirOwn) {
  std::atomic<int> arrived = 0;
  std::vector<std::thread::id> ids(3);
  parallel_for({Device::cpu(), 3}, 3, 1, [&](Index begin, Index) {
    ids[static_cast<std::size_t>(begin)] = std::this_thread::get_id();
    ++arrived;
    while (arrived < 3) std::this_thread::yield();  // ends only where all three run at once
  });
  EXPECT_EQ(std::set<std::thread::id>(ids.begin(), ids.end()).size(), 3U);
  EXPECT_EQ(ids[0], std::this_thread::get_id());
}

TEST(Threads, ALoopInsideALoopRunsInTurn) {
  std::atomic<int> sum = 0;
  const Stream stream{Device::cpu(), 4};
  parallel_for(stream, 4, 1, [&](Index, Index) {
    const auto self = std::this_thread::get_id();
    parallel_for(stream, 10, 1, [&](Index begin, Index end) {
      EXPECT_EQ(std::this_thread::get_id(), self);
      sum += static_cast<int>(end - begin);
    });
  });
  EXPECT_EQ(sum, 40);
}

TEST(Threads, TheFirstPiecesErrorReachesTheCallerAndTheCrewLivesOn) {
  const Stream stream{Device::cpu(), 4};
  for (int round = 0; round < 3; ++round) try {
      parallel_for(stream, 4, 1, [](Index begin, Index) {
        if (begin >= 1) fail(ErrorCode::argument, "piece ", begin);
      });
      FAIL() << "nothing was thrown";
    } catch (const Error& error) {
      EXPECT_STREQ(error.what(), "piece 1");
    }
  EXPECT_EQ(counts(stream, 9), std::vector<int>(9, 1));
}

TEST(Threads, CallersOnSeveralThreadsDoNotMeet) {
  std::vector<std::thread> callers;
  std::atomic<int> wrong = 0;
  for (int i = 0; i < 4; ++i)
    callers.emplace_back([&] {
      for (int round = 0; round < 200; ++round)
        wrong += counts({Device::cpu(), 3}, 12) != std::vector<int>(12, 1);
    });
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(wrong, 0);
}

TEST(Threads, AForkedChildHasACrewOfItsOwn) {
  const Stream stream{Device::cpu(), 3};
  counts(stream, 9);
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(20);  // a child that waits for its parent's threads would never end
    ::_exit(counts(stream, 9) == std::vector<int>(9, 1) ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "status " << status;
}

}  // namespace
}  // namespace framefold

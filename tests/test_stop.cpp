#include "cli/stop.h"

#include <gtest/gtest.h>

namespace framefold {
namespace {

TEST(StopSignal, RaisesAFlagOnceAndStepsAside) {
  struct sigaction before = {};
  sigaction(SIGTERM, nullptr, &before);
  {
    const StopSignal stop;
    EXPECT_FALSE(StopSignal::requested());
    std::raise(SIGTERM);
    EXPECT_TRUE(StopSignal::requested());
    struct sigaction now = {};
    sigaction(SIGTERM, nullptr, &now);
    EXPECT_EQ(now.sa_handler, SIG_DFL);  // a second one ends the process
  }
  struct sigaction after = {};
  sigaction(SIGTERM, nullptr, &after);
  EXPECT_EQ(after.sa_handler, before.sa_handler);
  const StopSignal again;
  EXPECT_FALSE(StopSignal::requested());
}

}  // namespace
}  // namespace framefold

#include "engine/schedule.h"

#include <gtest/gtest.h>

#include "tests/temporary.h"

namespace framefold {
namespace {

TEST(Schedule, Constant) {
  const Schedule schedule{.rate = 0.5};
  EXPECT_EQ(schedule.at(0), 0.5);
  EXPECT_EQ(schedule.at(1000000), 0.5);
}

TEST(Schedule, WarmUpRisesToTheRate) {
  const Schedule schedule{.rate = 0.8, .warmup = 4};
  EXPECT_DOUBLE_EQ(schedule.at(0), 0.2);
  EXPECT_DOUBLE_EQ(schedule.at(1), 0.4);
  EXPECT_DOUBLE_EQ(schedule.at(2), 0.6);
  EXPECT_DOUBLE_EQ(schedule.at(3), 0.8);
  EXPECT_DOUBLE_EQ(schedule.at(4), 0.8);
}

TEST(Schedule, CosineFallsToTheMinimumAndStaysThere) {
  const Schedule schedule{
      .kind = ScheduleKind::cosine, .rate = 1, .warmup = 2, .steps = 10, .minimum = 0.2};
  EXPECT_DOUBLE_EQ(schedule.at(2), 1);
  EXPECT_DOUBLE_EQ(schedule.at(4), 0.2 + 0.4 * (1 + 0.70710678118654752));
  EXPECT_DOUBLE_EQ(schedule.at(6), 0.6);
  EXPECT_DOUBLE_EQ(schedule.at(10), 0.2);
  EXPECT_DOUBLE_EQ(schedule.at(99), 0.2);
}

TEST(Schedule, DecayFallsInSteps) {
  const Schedule schedule{
      .kind = ScheduleKind::decay, .rate = 1, .warmup = 1, .every = 3, .factor = 0.5};
  EXPECT_EQ(schedule.at(1), 1);
  EXPECT_EQ(schedule.at(3), 1);
  EXPECT_EQ(schedule.at(4), 0.5);
  EXPECT_EQ(schedule.at(7), 0.25);
}

TEST(Schedule, NamesGoBothWays) {
  EXPECT_EQ(schedule_kind("cosine"), ScheduleKind::cosine);
  EXPECT_EQ(name_of(ScheduleKind::decay), "decay");
  EXPECT_ERROR(ErrorCode::config, "cosin is unknown, expected constant", schedule_kind("cosin"));
}

TEST(Schedule, RefusesWhatMakesNoSchedule) {
  EXPECT_ERROR(ErrorCode::config, "rate is -1", (Schedule{.rate = -1}.check()));
  EXPECT_ERROR(ErrorCode::config, "warm-up takes -2", (Schedule{.warmup = -2}.check()));
  EXPECT_ERROR(ErrorCode::config, "ends at step 5",
               (Schedule{.kind = ScheduleKind::cosine, .warmup = 5, .steps = 5}.check()));
  EXPECT_ERROR(
      ErrorCode::config, "minimum is 2",
      (Schedule{.kind = ScheduleKind::cosine, .rate = 1, .steps = 5, .minimum = 2}.check()));
  EXPECT_ERROR(ErrorCode::config, "every 0 steps", (Schedule{.kind = ScheduleKind::decay}.check()));
  EXPECT_ERROR(ErrorCode::config, "decays by 2",
               (Schedule{.kind = ScheduleKind::decay, .every = 1, .factor = 2}.check()));
}

}  // namespace
}  // namespace framefold

// What `framefold bench` says of times, and which rows framefold-bench takes.
#include <gtest/gtest.h>

#include "bench/selection.h"
#include "cli/step_times.h"
#include "kernels/error.h"

namespace framefold {
namespace {

TEST(StepTimes, TheIntervalIsMadeOfRanks) {
  std::vector<double> samples;
  for (int i = 100; i > 0; --i) samples.push_back(i);
  const Interval interval = median_interval(samples);
  EXPECT_EQ(interval.median, 50.5);
  EXPECT_EQ(interval.low, 41);   // rank 50 - 9.8, downwards
  EXPECT_EQ(interval.high, 61);  // rank 50 + 9.8, upwards
}

TEST(StepTimes, FewSamplesReachToTheirEnds) {
  const Interval interval = median_interval({3, 1, 2});
  EXPECT_EQ(interval.median, 2);
  EXPECT_EQ(interval.low, 1);
  EXPECT_EQ(interval.high, 3);
  EXPECT_THROW(median_interval({}), Error);
}

TEST(StepTimes, AVerdictNeedsIntervalsThatDoNotTouch) {
  const Interval old{10, 9.9, 10.1};
  EXPECT_EQ(compare(old, {8, 7.9, 8.1}), Verdict::faster);
  EXPECT_EQ(compare(old, {12, 11, 13}), Verdict::slower);
  EXPECT_EQ(compare(old, {10, 9.95, 10.05}), Verdict::same);
  EXPECT_EQ(compare(old, {9, 8, 10}), Verdict::unclear);                // they touch
  EXPECT_EQ(compare({10, 10, 10}, {10.1, 10.1, 10.1}), Verdict::same);  // apart, but by 1 %
}

TEST(BenchRows, AreChosenByTheNamesThatAreShown) {
  using bench::selected;
  using Names = std::vector<std::string>;
  const Names rows = {"add/forward", "add/backward", "optimizer/adamw", "optimizer/adamw, clipped"};
  EXPECT_EQ(selected(rows, ""), rows);
  EXPECT_EQ(selected(rows, "/forward$"), (Names{"add/forward"}));
  EXPECT_EQ(selected(rows, "(add|scale).*/(forward|both)$|^optimizer/adamw"),
            (Names{"add/forward", "optimizer/adamw", "optimizer/adamw, clipped"}));
  EXPECT_EQ(selected(rows, "add", "add/forward"), (Names{"add/backward"}));
  EXPECT_EQ(selected(rows, "", rows.back()), Names{});
  for (const char* wrong : {"subtract", "^forward", "(add"})
    EXPECT_THROW(selected(rows, wrong), Error);
  EXPECT_THROW(selected(rows, "add", "optimizer/adamw"), Error);
}

}  // namespace
}  // namespace framefold

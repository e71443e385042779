// What stored features tell of numbers: the classes are named by them.
#include <gtest/gtest.h>

#include "cli/features.h"
#include "tests/temporary.h"

namespace framefold {
namespace {

Features rows(Shape shape, std::vector<float> values, std::vector<std::int32_t> labels) {
  Features made;
  made.shape = shape;
  made.values = std::move(values);
  made.labels = std::move(labels);
  made.classes = {"10", "12", "14", "-1.5"};
  return made;
}

// y = 10 + 2 x, exactly; the held-out rows are 10 and 14 by it, and are named 12 and 14.
TEST(Probe, RegressionFindsALine) {
  const Features train = rows({3, 1}, {0, 1, 2}, {0, 1, 2});
  const NumberProbe own = number_probe(train, train, 0);
  EXPECT_NEAR(own.mse, 0, 1e-9);
  EXPECT_NEAR(own.r2, 1, 1e-9);
  EXPECT_NEAR(own.baseline_mse, 8.0 / 3, 1e-9);
  const NumberProbe other = number_probe(train, rows({2, 1}, {0, 2}, {1, 2}), 0);
  EXPECT_NEAR(other.mse, 2, 1e-6);  // (4 + 0) / 2, about a variance of 1
  EXPECT_NEAR(other.r2, -1, 1e-6);
  EXPECT_NEAR(other.baseline_mse, 2, 1e-9);  // the mean is 12
}

// Half of the line's slope: standardised, x'x is the number of rows, which a decay of 1 doubles.
TEST(Probe, RegressionDecays) {
  const Features train = rows({3, 1}, {0, 1, 2}, {0, 1, 2});
  EXPECT_NEAR(number_probe(train, train, 1).mse, 2.0 / 3, 1e-6);  // (1 + 0 + 1) / 3
}

// More numbers than rows: two copies of a number share its weight, so the same line comes out.
TEST(Probe, RegressionOfWideRows) {
  const Features train = rows({3, 4}, {0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2}, {0, 1, 2});
  const Features asked = rows({2, 4}, {0, 0, 0, 0, 2, 2, 2, 2}, {1, 2});
  EXPECT_NEAR(number_probe(train, asked, 0).mse, 2, 1e-5);
}

TEST(Probe, RegressionWantsNumbers) {
  Features train = rows({2, 1}, {0, 1}, {0, 3});
  EXPECT_NEAR(number_probe(train, train, 0).baseline_mse, 5.75 * 5.75, 1e-9);  // 10 and -1.5
  train.classes[1] = "12 apples";
  EXPECT_ERROR(ErrorCode::config, "\"12 apples\" is no number", number_probe(train, train, 0));
}

}  // namespace
}  // namespace framefold

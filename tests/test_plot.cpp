#include "io/plot.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/temporary.h"

namespace framefold {
namespace {

using Ticks = std::vector<double>;

void expect_near(const Ticks& given, const Ticks& expected) {
  ASSERT_EQ(given.size(), expected.size());
  for (std::size_t i = 0; i < given.size(); ++i) EXPECT_NEAR(given[i], expected[i], 1e-12);
}

TEST(Plot, LinearTicksAreRound) {
  expect_near(linear_ticks(0, 1, 5), {0, 0.2, 0.4, 0.6, 0.8, 1});
  expect_near(linear_ticks(-3, 97, 5), {0, 20, 40, 60, 80});
  expect_near(linear_ticks(0.011, 0.024, 5), {0.015, 0.02});
  expect_near(linear_ticks(1200, 1800, 6), {1200, 1300, 1400, 1500, 1600, 1700, 1800});
}

TEST(Plot, LogarithmicTicksFitTheSpan) {
  expect_near(logarithmic_ticks(1e-4, 1), {1e-4, 1e-3, 1e-2, 1e-1, 1});
  expect_near(logarithmic_ticks(0.01, 0.3), {0.01, 0.02, 0.05, 0.1, 0.2});
  expect_near(logarithmic_ticks(2, 8), {2, 3, 4, 5, 7});
  expect_near(logarithmic_ticks(1.0, 1.5), {1.0, 1.1, 1.2, 1.3, 1.4, 1.5});
  EXPECT_LE(logarithmic_ticks(1e-30, 1e10).size(), 9U);
}

TEST(Plot, TickLabels) {
  EXPECT_EQ(tick_label(0), "0");
  EXPECT_EQ(tick_label(0.002), "0.002");
  EXPECT_EQ(tick_label(-1.5), "-1.5");
  EXPECT_EQ(tick_label(2000), "2000");
  EXPECT_EQ(tick_label(20000), "20k");
  EXPECT_EQ(tick_label(1.25e6), "1.25M");
  EXPECT_EQ(tick_label(2e-5), "2.0e-05");
}

// A plot area of 600 x 260 pixels: 64 to 664, 54 to 314; y has 4 % of air on both sides.
TEST(Plot, PlacesPoints) {
  const std::string svg = plot({.series = {{"a", {0, 10}, {0, 1}}}, .width = 680, .height = 360});
  EXPECT_NE(svg.find("d='M64.00 304.37L664.00 63.63'"), std::string::npos) << svg;
  const std::string logarithmic = plot({.series = {{"a", {1, 10, 100}, {0.01, 0, 1}}},
                                        .log_x = true,
                                        .log_y = true,
                                        .width = 680,
                                        .height = 360});
  EXPECT_NE(logarithmic.find("d='M64.00 304.37M664.00 63.63'"), std::string::npos) << logarithmic;
}

TEST(Plot, InterruptsAtWhatIsNotFinite) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::string svg = plot({.series = {{"a", {0, 1, 2, 3}, {1, 2, nan, 3}}}});
  EXPECT_EQ(svg.find("nan"), std::string::npos);
  const std::size_t start = svg.rfind("class='line'");
  const std::string path = svg.substr(start, svg.find("'/>", start) - start);
  EXPECT_EQ(std::count(path.begin(), path.end(), 'M'), 2);
  EXPECT_EQ(std::count(path.begin(), path.end(), 'L'), 1);
}

TEST(Plot, AnythingCanBeDrawn) {
  for (const bool log : {false, true})
    for (const Series& series :
         {Series{"none", {}, {}}, Series{"one", {3}, {0}}, Series{"flat", {1, 2}, {5, 5}},
          Series{"negative", {-1, -2}, {-5, -6}}}) {
      const std::string svg = plot_file({.series = {series}, .log_x = log, .log_y = log});
      EXPECT_EQ(svg.find("nan"), std::string::npos) << series.name;
      EXPECT_EQ(svg.find("inf"), std::string::npos) << series.name;
    }
}

TEST(Plot, ManyPointsKeepTheirExtremes) {
  Series series{"a", {}, {}};
  for (int i = 0; i < 100000; ++i) {
    series.x.push_back(i);
    series.y.push_back(i == 54321 ? 100 : std::sin(i * 0.001));
  }
  const std::string svg = plot({.series = {series}});
  EXPECT_LT(svg.size(), 30000U);
  EXPECT_NE(svg.find(" 63.63L"), std::string::npos);
}

TEST(Plot, EscapesAndRefuses) {
  EXPECT_EQ(escape_html("a<b> & 'c' \"d\""), "a&lt;b&gt; &amp; &#39;c&#39; &quot;d&quot;");
  EXPECT_NE(plot({.title = "<b>"}).find("&lt;b&gt;"), std::string::npos);
  EXPECT_ERROR(ErrorCode::argument, "series \"a\" has 1 x and 0 y",
               plot({.series = {{"a", {1}, {}}}}));
  EXPECT_ERROR(ErrorCode::argument, "has 7 series", plot({.series = std::vector<Series>(7)}));
}

}  // namespace
}  // namespace framefold

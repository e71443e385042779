// Line charts as SVG, without a library.
#pragma once

#include <string>
#include <vector>

namespace framefold {

struct Series {
  std::string name;
  std::vector<double> x, y;  // of one length; a point that is not finite interrupts the line
  int colour = -1;           // of plot_colours; -1: its place among the series
  bool marks = false;        // dots at the points, for few of them
};

struct Chart {
  std::string title;
  std::string x_label, y_label;
  std::vector<Series> series;         // at most plot_colours, of different colours
  bool log_x = false, log_y = false;  // values at or below 0 are left out
  int width = 680, height = 360;      // pixels
};

inline constexpr std::size_t plot_colours = 6;
inline constexpr int plot_grey = 5;  // the last, for what stands still

// An <svg> element for inlining: colours are the CSS variables --ink, --muted, --grid, --surface
// and --c0 to --c5, and plot_style() gives them, light and dark.
std::string plot(const Chart& chart);

// CSS rules that set the variables by the reader's preference, for the page that inlines charts.
std::string plot_style();

// A document of its own: what plot() returns with plot_style() inside.
std::string plot_file(const Chart& chart);

// The parts, for tests.
std::vector<double> linear_ticks(double low, double high, int count);
std::vector<double> logarithmic_ticks(double low, double high);
std::string tick_label(double value);  // 0.002, 1.5, 20k
std::string escape_html(std::string_view text);

}  // namespace framefold

#include "io/plot.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <sstream>

#include "kernels/error.h"

namespace framefold {
namespace {

constexpr double margin_left = 64, margin_right = 16, margin_bottom = 46, margin_top = 54;
constexpr std::size_t most_points = 600;  // a line's, more cannot be seen

struct Axis {
  double low = 0, high = 1;  // after the logarithm where there is one
  double from = 0, to = 1;   // pixels
  bool logarithmic = false;
  std::vector<double> ticks;

  bool takes(double value) const { return std::isfinite(value) && (!logarithmic || value > 0); }
  double value(double given) const { return logarithmic ? std::log10(given) : given; }
  double pixel(double given) const {
    return from + (to - from) * (value(given) - low) / (high - low);
  }
};

std::string number(double value) {
  char digits[32];
  std::snprintf(digits, sizeof digits, "%.2f", value);
  return digits;
}

Axis axis_of(const Chart& chart, bool vertical) {
  Axis axis;
  axis.logarithmic = vertical ? chart.log_y : chart.log_x;
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (const Series& series : chart.series)
    for (const double value : vertical ? series.y : series.x)
      if (axis.takes(value)) {
        low = std::min(low, axis.value(value));
        high = std::max(high, axis.value(value));
      }
  if (low > high) low = 0, high = 1;
  if (high - low < 1e-12 * std::max(1.0, std::abs(low))) low -= 0.5, high += 0.5;
  if (vertical) {  // air above and below the lines
    const double pad = 0.04 * (high - low);
    low -= pad;
    high += pad;
    axis.from = chart.height - margin_bottom;
    axis.to = margin_top;
  } else {
    axis.from = margin_left;
    axis.to = chart.width - margin_right;
  }
  axis.low = low;
  axis.high = high;
  axis.ticks = axis.logarithmic ? logarithmic_ticks(std::pow(10, low), std::pow(10, high))
                                : linear_ticks(low, high, vertical ? 5 : 7);
  return axis;
}

int colour_of(const Chart& chart, std::size_t series) {
  const int colour = chart.series[series].colour;
  return colour < 0 ? static_cast<int>(series) : colour;
}

// Of more points than can be seen, the extremes of equal pieces stay.
std::vector<std::size_t> visible(const std::vector<double>& y) {
  std::vector<std::size_t> kept;
  const std::size_t pieces = y.size() > most_points ? most_points / 2 : y.size();
  for (std::size_t piece = 0; piece < pieces; ++piece) {
    const auto first = static_cast<std::ptrdiff_t>(y.size() * piece / pieces);
    const auto last = static_cast<std::ptrdiff_t>(y.size() * (piece + 1) / pieces);
    const auto [low, high] = std::minmax_element(y.begin() + first, y.begin() + last);
    kept.push_back(static_cast<std::size_t>(std::min(low, high) - y.begin()));
    if (low != high) kept.push_back(static_cast<std::size_t>(std::max(low, high) - y.begin()));
  }
  return kept;
}

void draw_line(std::ostream& out, const Series& series, int colour, const Axis& x, const Axis& y) {
  std::string path, dots;
  bool pen = false;
  for (const std::size_t i : visible(series.y)) {
    if (!x.takes(series.x[i]) || !y.takes(series.y[i])) {
      pen = false;
      continue;
    }
    const std::string px = number(x.pixel(series.x[i])), py = number(y.pixel(series.y[i]));
    path += (pen ? "L" : "M") + px + ' ' + py;
    if (series.marks) dots += "<circle cx='" + px + "' cy='" + py + "' r='3'/>";
    pen = true;
  }
  out << "<path class='line' style='stroke:var(--c" << colour << ")' d='" << path << "'/>";
  if (series.marks)
    out << "<g class='dots' style='fill:var(--c" << colour << ")'>" << dots << "</g>";
}

}  // namespace

std::vector<double> linear_ticks(double low, double high, int count) {
  const double rough = (high - low) / count;
  const double power = std::pow(10, std::floor(std::log10(rough)));
  double step = 10 * power;
  for (const double factor : {5.0, 2.0, 1.0})
    if (factor * power >= rough * 0.999) step = factor * power;
  std::vector<double> ticks;
  for (double i = std::ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; ++i)
    ticks.push_back(i * step + 0.0);
  return ticks;
}

std::vector<double> logarithmic_ticks(double low, double high) {
  const double decades = std::log10(high / low);
  std::vector<double> factors{1};
  if (decades < 2.5) factors = {1, 2, 5};
  if (decades < 1) factors = {1, 1.5, 2, 3, 4, 5, 7};
  if (decades < 0.3) return linear_ticks(low, high, 5);
  const double stride = std::max(1.0, std::ceil(decades / 8));
  std::vector<double> ticks;
  for (double power = std::floor(std::log10(low)); power <= std::log10(high); power += stride)
    for (const double factor : factors)
      if (const double tick = factor * std::pow(10, power);
          tick >= low * (1 - 1e-9) && tick <= high * (1 + 1e-9))
        ticks.push_back(tick);
  return ticks;
}

std::string tick_label(double value) {
  const double size = std::abs(value);
  char label[32];
  if (size >= 1e6)
    std::snprintf(label, sizeof label, "%.4gM", value / 1e6);
  else if (size >= 1e4)
    std::snprintf(label, sizeof label, "%.4gk", value / 1e3);
  else if (size != 0 && size < 1e-4)
    std::snprintf(label, sizeof label, "%.1e", value);
  else
    std::snprintf(label, sizeof label, "%.6g", value);
  return label;
}

std::string escape_html(std::string_view text) {
  std::string out;
  for (const char c : text) switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out += c;
    }
  return out;
}

std::string plot(const Chart& chart) {
  if (chart.series.size() > plot_colours)
    fail(ErrorCode::argument, "chart \"", chart.title, "\" has ", chart.series.size(),
         " series, expected at most ", plot_colours);
  for (const Series& series : chart.series)
    if (series.x.size() != series.y.size())
      fail(ErrorCode::argument, "series \"", series.name, "\" has ", series.x.size(), " x and ",
           series.y.size(), " y, expected as many");

  const Axis x = axis_of(chart, false), y = axis_of(chart, true);
  std::ostringstream out;
  out << "<svg class='plot' viewBox='0 0 " << chart.width << ' ' << chart.height
      << "' xmlns='http://www.w3.org/2000/svg' role='img' aria-label='" << escape_html(chart.title)
      << "'>";
  out << "<text class='title' x='0' y='14'>" << escape_html(chart.title) << "</text>";

  double legend = 0;
  for (std::size_t i = 0; chart.series.size() > 1 && i < chart.series.size(); ++i) {
    const std::string& name = chart.series[i].name;
    out << "<path class='line' style='stroke:var(--c" << colour_of(chart, i) << ")' d='M"
        << number(legend) << " 34h16'/><text x='" << number(legend + 22) << "' y='38'>"
        << escape_html(name) << "</text>";
    legend += 46 + 6.6 * static_cast<double>(name.size());
  }

  for (const double tick : y.ticks) {
    const std::string at = number(y.pixel(tick));
    out << "<path class='grid' d='M" << number(x.from) << ' ' << at << 'H' << number(x.to)
        << "'/><text class='end' x='" << number(x.from - 8) << "' y='" << at << "' dy='.32em'>"
        << tick_label(tick) << "</text>";
  }
  for (const double tick : x.ticks)
    out << "<text class='middle' x='" << number(x.pixel(tick)) << "' y='" << number(y.from + 18)
        << "'>" << tick_label(tick) << "</text>";
  out << "<path class='axis' d='M" << number(x.from) << ' ' << number(y.from) << 'H' << number(x.to)
      << "'/>";
  out << "<text class='middle' x='" << number((x.from + x.to) / 2) << "' y='" << chart.height - 8
      << "'>" << escape_html(chart.x_label) << "</text>";
  out << "<text class='middle' transform='translate(12 " << number((y.from + y.to) / 2)
      << ") rotate(-90)'>" << escape_html(chart.y_label) << "</text>";
  for (std::size_t i = 0; i < chart.series.size(); ++i)
    draw_line(out, chart.series[i], colour_of(chart, i), x, y);
  out << "</svg>";
  return out.str();
}

std::string plot_style() {
  return R"(:root{color-scheme:light dark;--ink:#1c1e21;--muted:#6a6f76;--grid:#e6e7ea;--surface:#fff;
--c0:#2f6fb3;--c1:#c8641b;--c2:#3d8b57;--c3:#8a5bb0;--c4:#b0892a;--c5:#6a6f76}
@media (prefers-color-scheme:dark){:root{--ink:#e6e7ea;--muted:#989da6;--grid:#2d3036;--surface:#17191c;
--c0:#6fa8e0;--c1:#ec9457;--c2:#74bd8d;--c3:#b994da;--c4:#d8b45c;--c5:#989da6}}
.plot{font:12px system-ui,sans-serif;fill:var(--muted)}
.plot .title{font-size:14px;font-weight:600;fill:var(--ink)}
.plot .middle{text-anchor:middle}.plot .end{text-anchor:end}
.plot path{fill:none}.plot .grid{stroke:var(--grid)}.plot .axis{stroke:var(--muted)}
.plot .line{stroke-width:1.75;stroke-linejoin:round;stroke-linecap:round}
.plot .dots circle{stroke:var(--surface);stroke-width:1.5}
)";
}

std::string plot_file(const Chart& chart) {
  std::string svg = plot(chart);
  return svg.insert(svg.find('>') + 1, "<style>" + plot_style() +
                                           "</style><rect width='100%' height='100%' "
                                           "fill='var(--surface)'/>");
}

}  // namespace framefold

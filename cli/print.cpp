#include "cli/print.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "io/printable.h"
#include "kernels/error.h"

namespace framefold {
namespace {

// Characters that a terminal shows, in UTF-8.
std::size_t shown_width(const std::string& cell) {
  return static_cast<std::size_t>(std::count_if(cell.begin(), cell.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

bool numeric(const std::string& cell) {
  return !cell.empty() && (std::isdigit(static_cast<unsigned char>(cell.front())) != 0 ||
                           (cell.size() > 1 && cell.front() == '-'));
}

// Three digits that count: 1.23, 12.3, 123.
std::string three_digits(double value) {
  const double size = std::abs(value);
  const bool whole = value == std::floor(value) && size < 1000;
  return with_digits(value, whole || size >= 100 ? 0 : size >= 10 ? 1 : 2);
}

}  // namespace

std::string with_digits(double value, int decimals) {
  std::array<char, 64> digits{};
  std::snprintf(digits.data(), digits.size(), "%.*f", decimals, value);
  return digits.data();
}

std::string with_bytes(Bytes bytes) {
  constexpr std::array<const char*, 5> units = {" B", " KiB", " MiB", " GiB", " TiB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < units.size(); ++unit) value /= 1024;
  return three_digits(value) + units[unit];
}

std::string with_prefix(double value, std::string_view unit) {
  constexpr std::string_view prefixes = " kMGTP";
  std::size_t power = 0;
  for (; std::abs(value) >= 1000 && power + 1 < prefixes.size(); ++power) value /= 1000;
  std::string out = three_digits(value);
  if (power > 0 || !unit.empty()) out += ' ';
  if (power > 0) out += prefixes[power];
  return out.append(unit);
}

std::string with_rate(double per_second, std::string_view what) {
  return text(three_digits(per_second), ' ', what, "/s");
}

std::string with_time(double seconds) {
  if (seconds < 10) return with_digits(seconds, 1) + " s";
  const auto whole = static_cast<Index>(std::llround(seconds));
  if (whole < 60) return text(whole, " s");
  const Index minor = whole < 3600 ? whole % 60 : whole / 60 % 60;
  return text(whole < 3600 ? whole / 60 : whole / 3600, ':', minor < 10 ? "0" : "", minor,
              whole < 3600 ? " min" : " h");
}

std::string with_percent(double share) { return with_digits(100 * share, 0) + " %"; }

Bytes parse_bytes(const std::string& given, std::string_view what) {
  char* end = nullptr;
  const double value = std::strtod(given.c_str(), &end);
  std::string unit;
  for (; *end != '\0'; ++end)
    if (*end != ' ') unit += static_cast<char>(std::tolower(*end));
  double scale = 0;
  constexpr std::string_view prefixes = "bkmgt";
  if (unit.empty()) unit += 'b';
  if (const std::size_t power = prefixes.find(unit.front()); power != std::string_view::npos) {
    const std::string rest = unit.substr(1);
    if (rest == "ib" || rest.empty()) scale = std::pow(1024, power);
    if (rest == "b" && power > 0) scale = std::pow(1000, power);
  }
  if (end == given.c_str() || scale == 0 || !(value > 0))
    fail(ErrorCode::config, what, " is \"", given, "\", expected a size such as 8GiB or 500MB");
  return static_cast<Bytes>(value * scale);
}

TextTable::TextTable(std::vector<std::string> heading) : heading_(!heading.empty()) {
  if (heading_) rows_.push_back(std::move(heading));
}

void TextTable::row(std::vector<std::string> cells) {
  for (std::string& cell : cells) cell = printable(cell, "");
  rows_.push_back(std::move(cells));
}

std::string TextTable::text() const {
  std::vector<std::size_t> widths;
  std::vector<bool> right;
  for (const auto& cells : rows_)
    for (std::size_t i = 0; i < cells.size(); ++i) {
      if (i == widths.size()) {
        widths.push_back(0);
        right.push_back(true);
      }
      widths[i] = std::max(widths[i], shown_width(cells[i]));
      if (!(heading_ && &cells == &rows_.front()) && !cells[i].empty() && !numeric(cells[i]))
        right[i] = false;
    }
  std::string out;
  for (const auto& cells : rows_) {
    std::string line;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const std::string pad(widths[i] - shown_width(cells[i]), ' ');
      if (i > 0) line += "  ";
      line += right[i] ? pad : cells[i];
      line += right[i] ? cells[i] : pad;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + '\n';
  }
  return out;
}

ProgressLine::ProgressLine() : terminal_(::isatty(STDERR_FILENO) == 1), next_(Clock::now()) {}

ProgressLine::~ProgressLine() { clear(); }

bool ProgressLine::due() const { return Clock::now() >= next_; }

void ProgressLine::show(const std::string& line) {
  next_ = Clock::now() + (terminal_ ? std::chrono::milliseconds(100) : std::chrono::seconds(5));
  if (terminal_)
    std::fprintf(stderr, "\r%s\033[K", printable(line).c_str());
  else
    std::fprintf(stderr, "%s\n", printable(line).c_str());
  shown_ = terminal_;
}

void ProgressLine::note(const std::string& line) {
  clear();
  std::fprintf(stderr, "%s\n", printable(line).c_str());
}

void ProgressLine::clear() {
  if (shown_) std::fputs("\r\033[K", stderr);
  shown_ = false;
}

}  // namespace framefold

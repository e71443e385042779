// Text for people: numbers with units, tables, and the line that tells how training goes.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "kernels/tensor.h"

namespace framefold {

std::string with_digits(double value, int decimals);
std::string with_bytes(Bytes bytes);                                // 512 B, 1.5 KiB, 20 MiB
std::string with_prefix(double value, std::string_view unit = {});  // 950 flop, 1.25 Mflop
std::string with_rate(double per_second, std::string_view what);    // 1250 clips/s, 3.21 clips/s
std::string with_time(double seconds);                              // 0.8 s, 42 s, 3:07 min, 2:05 h
std::string with_percent(double share);                             // 3 %

// "8GiB", "512 MB", "1.5G" or a number of bytes; Error(config) names `what`.
Bytes parse_bytes(const std::string& text, std::string_view what);

// Columns as wide as their widest cell; numbers to the right, texts to the left.
class TextTable {
 public:
  explicit TextTable(std::vector<std::string> heading = {});
  void row(std::vector<std::string> cells);
  std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
  bool heading_ = false;
};

// One line of standard error, rewritten in place on a terminal; elsewhere a plain line now and
// then.
class ProgressLine {
 public:
  ProgressLine();
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  bool due() const;  // whether it is time for a new line
  void show(const std::string& line);
  void note(const std::string& line);  // a whole line that stays
  void clear();

 private:
  using Clock = std::chrono::steady_clock;
  bool terminal_;
  bool shown_ = false;
  Clock::time_point next_;
};

}  // namespace framefold

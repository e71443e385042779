// A report: one HTML page without a network, scripts or other files. Pictures are inlined; colours
// follow the reader's light or dark preference, widths the screen's.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "io/plot.h"

namespace framefold {

struct Headline {
  std::string label, value, unit, note;
};

struct Bar {
  std::string label;
  double value = 0;
  std::string text;  // the value for people
};

struct ReportTable {
  std::vector<std::string> heading;
  std::vector<std::vector<std::string>> rows;  // numbers stand to the right
};

class Report {
 public:
  Report(std::string title, const std::string& subtitle);

  void headlines(const std::vector<Headline>& numbers);
  void section(std::string_view heading, std::string_view note = {});
  // What follows in the section stands below the one before.
  void charts(const std::vector<Chart>& charts);
  void picture(std::string_view media_type, std::string_view bytes, std::string_view caption);
  void bars(const std::vector<Bar>& bars);
  void tables(const std::vector<ReportTable>& tables);         // side by side where there is room
  void code(std::string_view summary, std::string_view text);  // folded until it is opened

  std::string html() const;

 private:
  void table(const ReportTable& table);

  std::string title_, body_;
  bool open_ = false;
};

std::string base64(std::string_view bytes);

}  // namespace framefold

#include "cli/metrics.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "kernels/error.h"

namespace framefold {
namespace {

namespace fs = std::filesystem;

constexpr Bytes cap = Bytes{1} << 30;  // of a file of metrics

std::string number(double value) {
  char digits[32];
  std::snprintf(digits, sizeof digits, "%.9g", value);
  return digits;
}

std::string csv_line(const MetricRow& row) {
  std::string line = text(row.step);
  for (const auto& value : row.values) line += ',' + (value ? number(*value) : "");
  return line + '\n';
}

std::string csv_heading() {
  std::string line = "step";
  for (const MetricColumn& column : metric_columns) line += ',' + std::string(column.name);
  return line + '\n';
}

// JSON has neither NaN nor infinities: null.
std::string json_line(const MetricRow& row) {
  std::string line = text("{\"step\": ", row.step);
  for (std::size_t i = 0; i < row.values.size(); ++i)
    if (const auto& value = row.values[i])
      line += text(", \"", metric_columns[i].name,
                   "\": ", std::isfinite(*value) ? number(*value) : "null");
  return line + "}\n";
}

Descriptor open_to_append(const fs::path& path) {
  Descriptor file(::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
  if (file.number() < 0) fail_file("open", path);
  return file;
}

void append(const Descriptor& file, const fs::path& path, const std::string& line) {
  for (std::string_view left = line; !left.empty();) {
    const ssize_t written = ::write(file.number(), left.data(), left.size());
    if (written < 0 && errno != EINTR) fail_file("write", path);
    if (written > 0) left.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace

Metrics::Metrics(const fs::path& directory, std::optional<Index> resumed)
    : directory_(directory),
      events_(directory, resumed ? std::optional<Index>(*resumed + 1) : std::nullopt) {
  if (resumed) {
    rows_ = read(directory / "metrics.jsonl");
    std::erase_if(rows_, [&](const MetricRow& row) { return row.step > *resumed; });
  }
  std::string csv = csv_heading(), jsonl;
  for (const MetricRow& row : rows_) {
    csv += csv_line(row);
    jsonl += json_line(row);
  }
  write_file(directory / "metrics.csv", csv);
  write_file(directory / "metrics.jsonl", jsonl);
  csv_ = open_to_append(directory / "metrics.csv");
  jsonl_ = open_to_append(directory / "metrics.jsonl");
}

void Metrics::add(const MetricRow& row) {
  rows_.push_back(row);
  append(csv_, directory_ / "metrics.csv", csv_line(row));
  append(jsonl_, directory_ / "metrics.jsonl", json_line(row));
  for (std::size_t i = 0; i < row.values.size(); ++i)
    if (row.values[i]) events_.scalar(metric_columns[i].tag, row.step, *row.values[i]);
}

std::vector<MetricRow> Metrics::read(const fs::path& file) {
  std::vector<MetricRow> rows;
  if (!fs::exists(file)) return rows;
  std::istringstream lines(read_file(file, cap));
  for (std::string line; std::getline(lines, line);) {
    const auto json = nlohmann::json::parse(line, nullptr, false);
    if (!json.is_object() || !json.contains("step") || !json["step"].is_number_integer()) continue;
    MetricRow& row = rows.emplace_back();
    row.step = json["step"].get<Index>();
    for (std::size_t i = 0; i < metric_columns.size(); ++i) {
      const auto value = json.find(metric_columns[i].name);
      if (value == json.end()) continue;
      row.values[i] = value->is_number() ? value->get<double>() : std::nan("");
    }
  }
  return rows;
}

}  // namespace framefold

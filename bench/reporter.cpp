#include "bench/reporter.h"

#include <array>
#include <cstdio>
#include <ostream>

namespace framefold::bench {
namespace {

using Run = benchmark::BenchmarkReporter::Run;

std::vector<Run> plainly_named(std::vector<Run> runs) {
  for (Run& run : runs) {
    run.run_name.iterations.clear();
    run.run_name.time_type.clear();
    run.run_name.min_time.clear();
  }
  return runs;
}

class Json final : public benchmark::JSONReporter {
 public:
  bool ReportContext(const Context& context) override {
    const bool goes_on = JSONReporter::ReportContext(context);
    GetOutputStream().flush();
    return goes_on;
  }
  void ReportRuns(const std::vector<Run>& runs) override {
    JSONReporter::ReportRuns(plainly_named(runs));
    GetOutputStream().flush();  // so that a row that ends the process loses itself alone
  }
};

class Console final : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context& context) override {
    PrintBasicContext(&GetErrorStream(), context);
    width_ = context.name_field_width - std::string_view("/iterations:1/manual_time").size();
    write("row", {"median", "spread", "GFLOP/s", "GB/s", "flop/byte", "of roof"});
    return true;
  }

  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : plainly_named(runs)) {
      if (run.error_occurred) {
        GetOutputStream() << run.benchmark_name() << ": " << run.error_message << '\n';
        continue;
      }
      const auto counter = [&](const char* name, double scale, const char* format) {
        const auto found = run.counters.find(name);
        return found == run.counters.end() ? std::string() : shown(format, scale * found->second);
      };
      write(run.benchmark_name(),
            {shown("%.1f us", run.GetAdjustedRealTime()), counter("spread", 100, "%.1f %%"),
             counter("flop/s", 1e-9, "%.1f"), counter("bytes/s", 1e-9, "%.1f"),
             counter("flop/byte", 1, "%.1f"), counter("of_roof", 100, "%.0f %%")},
            others(run));
    }
    GetOutputStream().flush();
  }

 private:
  static std::string shown(const char* format, double value) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), format, value);
    return text.data();
  }
  // What only some rows have.
  static std::string others(const Run& run) {
    std::string all;
    for (const auto& [name, value] : run.counters) {
      const bool known = name == "spread" || name == "calls" || name == "rate" ||
                         name == "of_roof" || name.find('/') != std::string::npos ||
                         name.starts_with("checksum");
      if (!known || name == "clips/s") all += "  " + name + shown(" %.4g", value);
    }
    return all;
  }
  void write(const std::string& name, const std::array<std::string, 6>& cells,
             const std::string& end = {}) {
    std::ostream& out = GetOutputStream();
    out << name << std::string(width_ > name.size() ? width_ - name.size() : 0, ' ');
    for (const std::string& cell : cells)
      out << std::string(13 - std::min<std::size_t>(12, cell.size()), ' ') << cell;
    out << end << '\n';
  }

  std::size_t width_ = 0;
};

}  // namespace

std::unique_ptr<benchmark::BenchmarkReporter> reporter(bool json) {
  if (json) return std::make_unique<Json>();
  return std::make_unique<Console>();
}

}  // namespace framefold::bench

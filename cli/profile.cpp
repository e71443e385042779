#include "cli/profile.h"

#include <algorithm>
#include <map>

#include "cli/print.h"

namespace framefold {
namespace {

std::string name_of(const Executor& executor, const Step& step) {
  if (step.kind != Step::Kind::forward && step.kind != Step::Kind::backward)
    return "sums of gradients";
  return std::string(
      executor.plan().graph().nodes()[static_cast<std::size_t>(step.node)].op->name());
}

std::string phase_of(const Step& step) {
  return step.phase == Phase::forward ? "forward" : "backward";
}

double mean_of(const StepTime& time) {
  return time.runs > 0 ? time.seconds / static_cast<double>(time.runs) : 0;
}

}  // namespace

Floor parse_floor(const std::string& given) {
  double tera_flops = 0, tera_bytes = 0;
  char comma = 0;
  std::istringstream in(given);
  if (!(in >> tera_flops >> comma >> tera_bytes) || comma != ',' || in.peek() != EOF ||
      tera_flops <= 0 || tera_bytes <= 0)
    fail(ErrorCode::config, "--floor ", given,
         ": expected the machine's TFLOP/s and TB/s, such as 790,4.3");
  return {.flops = 1e12 * tera_flops, .bytes = 1e12 * tera_bytes};
}

double ProfileRow::share_of(const Floor& floor) const {
  return seconds > 0 ? std::max(flops / floor.flops, bytes / floor.bytes) / seconds : 0;
}

std::vector<ProfileRow> profile_rows(const Executor& executor) {
  std::map<std::pair<std::string, std::string>, ProfileRow> found;
  for (const StepTime& time : executor.times()) {
    const std::string op = name_of(executor, *time.step), phase = phase_of(*time.step);
    ProfileRow& row = found[{op, phase}];
    row.op = op;
    row.phase = phase;
    ++row.count;
    row.seconds += mean_of(time);
    row.flops += time.step->flops;
    row.bytes += time.step->bytes;
  }
  std::vector<ProfileRow> rows;
  for (const auto& [name, row] : found) rows.push_back(row);
  std::stable_sort(rows.begin(), rows.end(),
                   [](const ProfileRow& a, const ProfileRow& b) { return a.seconds > b.seconds; });
  return rows;
}

std::string profile_text(const std::vector<ProfileRow>& rows, const std::optional<Floor>& floor) {
  double all = 0;
  for (const ProfileRow& row : rows) all += row.seconds;
  TextTable table(
      {"operation", "phase", "count", "ms", "share", "GB/s", "TFLOP/s", "of the floor"});
  for (const ProfileRow& row : rows) {
    if (row.seconds <= 0) continue;
    table.row({row.op, row.phase, text(row.count), with_digits(1e3 * row.seconds, 3),
               with_percent(row.seconds / all), with_digits(1e-9 * row.bytes / row.seconds, 1),
               with_digits(1e-12 * row.flops / row.seconds, 4),
               floor ? with_percent(row.share_of(*floor)) : "unknown"});
  }
  std::string note = text("\na batch: ", with_digits(1e3 * all, 3), " ms in operations\n");
  if (!floor)
    note +=
        "the floor is unknown: give the machine's peaks as --floor TFLOP/s,TB/s "
        "(`framefold-bench` says what a machine reaches)\n";
  return table.text() + note;
}

Json trace_of(const Executor& executor) {
  Json events = Json::array();
  double at = 0;
  for (const StepTime& time : executor.times()) {
    const double microseconds = 1e6 * mean_of(time);
    events.push_back({{"name", time.step->label},
                      {"cat", name_of(executor, *time.step) + ", " + phase_of(*time.step)},
                      {"ph", "X"},
                      {"ts", at},
                      {"dur", microseconds},
                      {"pid", 0},
                      {"tid", 0},
                      {"args", {{"flops", time.step->flops}, {"bytes", time.step->bytes}}}});
    at += microseconds;
  }
  // The next batch is on its way while the device works, from a step's beginning at the earliest.
  if (const UploadTimes uploads = executor.upload_times(); uploads.uploads > 0) {
    for (const auto& [lane, name] : {std::pair{0, "operations"}, {1, "uploads"}})
      events.push_back({{"name", "thread_name"},
                        {"ph", "M"},
                        {"pid", 0},
                        {"tid", lane},
                        {"args", {{"name", name}}}});
    events.push_back({{"name", "the next batch"},
                      {"cat", "upload"},
                      {"ph", "X"},
                      {"ts", 0},
                      {"dur", 1e6 * uploads.seconds / uploads.uploads},
                      {"pid", 0},
                      {"tid", 1},
                      {"args", {{"bytes", uploads.bytes}}}});
  }
  return {{"traceEvents", events}, {"displayTimeUnit", "ms"}};
}

}  // namespace framefold

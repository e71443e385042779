#include "cli/paths.h"

#include <xxhash.h>

#include "cli/print.h"
#include "cli/run_directory.h"
#include "io/file.h"
#include "kernels/vendor.h"

namespace framefold {
namespace {

namespace fs = std::filesystem;

fs::path cache_file(const std::string& machine) {
  const fs::path directory = cache_directory();
  if (directory.empty()) return {};
  return directory /
         text("paths-", std::hex, ::XXH3_64bits(machine.data(), machine.size()), ".safetensors");
}

std::string milliseconds(double seconds) {
  return seconds > 0 ? with_digits(1e3 * seconds, 3) + " ms" : "";
}

}  // namespace

std::string machine_of(const Stream& stream) {
  std::string machine = text(version_text(), ", ", processor_name(), ", ", stream.threads,
                             stream.threads == 1 ? " thread" : " threads");
  for (const auto& [name, version] : vendor_libraries(stream))
    machine += text(", ", name, ' ', version);
  return machine;
}

MeasuredPaths measure_paths(const std::shared_ptr<const Plan>& plan, const fs::path& kept) {
  MeasuredPaths measured;
  const std::string machine = machine_of(plan->options().stream);
  const fs::path cache = cache_file(machine);
  const bool resumes = !kept.empty() && fs::exists(kept);
  std::string note;
  if (resumes) {
    measured.choices = read_choices(kept, "");
  } else if (!cache.empty() && fs::exists(cache)) {
    try {
      measured.choices = read_choices(cache, machine);
    } catch (const Error& error) {
      note = text("passed over: ", error.what(), '\n');
    }
  }

  const std::size_t known = measured.choices.size();
  StepTimer timer;  // made when it is needed: it takes as much memory as a run
  const std::vector<ChoiceRow> rows = choose(*plan, measured.choices, [&](Path path) {
    if (!timer) timer = timer_of(plan);
    return timer(path);
  });
  if (measured.choices.size() > known && !resumes && !cache.empty()) {
    try {
      fs::create_directories(cache.parent_path());
      write_choices(cache, machine, measured.choices);
    } catch (const std::exception& error) {
      note += text("not remembered: ", error.what(), '\n');
    }
  }
  if (rows.empty()) return measured;
  TextTable table({"steps", "how many", "ours", "vendor's", "taken"});
  for (const ChoiceRow& row : rows)
    table.row({row.signature, text(row.steps), milliseconds(row.native), milliseconds(row.vendor),
               row.path == Path::vendor ? "vendor's" : "ours"});
  measured.report = note + table.text();
  return measured;
}

}  // namespace framefold

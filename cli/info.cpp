// framefold info FILE | runs/NAME
#include <filesystem>

#include "cli/command.h"
#include "cli/metrics.h"
#include "cli/print.h"
#include "cli/run_directory.h"
#include "engine/checkpoint.h"
#include "io/file.h"
#include "io/json.h"
#include "io/safetensors.h"

namespace framefold {
namespace {

namespace fs = std::filesystem;

struct Arguments {
  std::string path;
  bool json = false;
};

void info_file(const Arguments& arguments) {
  const SafetensorsFile file(arguments.path);
  Json json{{"file", arguments.path}, {"metadata", Json::object()}, {"tensors", Json::array()}};
  TextTable table({"tensor", "type", "shape", "bytes"}), notes({"metadata"});
  Bytes bytes = 0;
  for (const SafetensorsEntry& entry : file.entries()) {
    const Bytes size = entry.end - entry.begin;
    bytes += size;
    table.row({entry.name, std::string(entry.stored), text(entry.shape), text(size)});
    json["tensors"].push_back(
        {{"name", entry.name},
         {"type", entry.stored},
         {"shape", std::vector<Index>(entry.shape.begin(), entry.shape.end())},
         {"bytes", size}});
  }
  for (const auto& [name, value] : file.metadata()) {
    const std::string line = value.substr(0, value.find('\n'));
    notes.row({name, line + (line.size() < value.size() ? " ..." : "")});
    json["metadata"][name] = value;
  }
  json["bytes"] = bytes;
  if (arguments.json) return print(json);
  print(text(arguments.path, ": ", file.entries().size(), " tensors, ", with_bytes(bytes), "\n\n",
             file.metadata().empty() ? "" : notes.text() + "\n", table.text()));
}

void info_run(const Arguments& arguments) {
  const RunDirectory run = RunDirectory::open(arguments.path);
  const Config config = resolve_resumed(run.config(), {});
  const std::vector<MetricRow> rows = Metrics::read(run.path() / "metrics.jsonl");
  const Checkpoints checkpoints(run.checkpoints());
  const auto newest = checkpoints.newest();
  const auto best = checkpoints.best();

  Json json{{"run", run.path().string()},
            {"model", config.model.name},
            {"data", config.data.kind},
            {"steps", config.train.steps},
            {"step", rows.empty() ? 0 : rows.back().step}};
  TextTable table;
  table.row({"run", run.path().string()});
  table.row({"model", text(config.model.name, " on ", config.data.kind)});
  table.row({"progress", text("step ", json["step"].get<Index>(), " of ", config.train.steps)});
  if (newest) {
    json["checkpoint"] = newest->path.string();
    table.row({"newest checkpoint", newest->path.string()});
    for (const std::string& damaged : newest->damaged) table.row({"damaged", damaged});
  }
  if (best) {
    json["best"] = best->string();
    table.row({"best checkpoint", best->string()});
  }
  for (std::size_t i = 0; i < metric_columns.size(); ++i) {
    const auto last = std::find_if(rows.rbegin(), rows.rend(),
                                   [&](const MetricRow& row) { return row.values[i].has_value(); });
    if (last == rows.rend()) continue;
    json["metrics"][metric_columns[i].name] = *last->values[i];
    table.row({std::string(metric_columns[i].name), text(*last->values[i])});
  }
  if (fs::exists(run.results()))
    json["results"] = parse_json<Json>(read_file(run.results(), 1 << 24), run.results().string());
  if (fs::exists(run.report())) {
    json["report"] = run.report().string();
    table.row({"report", run.report().string()});
  }
  if (arguments.json) return print(json);
  print(table.text());
}

void run(const Arguments& arguments) {
  if (!fs::exists(arguments.path))
    fail(ErrorCode::file, arguments.path,
         " does not exist; expected a run's folder or a "
         "safetensors file");
  fs::is_directory(arguments.path) ? info_run(arguments) : info_file(arguments);
}

}  // namespace

void add_info(CLI::App& app) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command =
      subcommand(app, "info", "Show what a run or a safetensors file holds",
                 "  framefold info runs/demo\n"
                 "  framefold info runs/demo/checkpoints/step-00001000.safetensors --json\n",
                 arguments->json);
  command->add_option("PATH", arguments->path, "A run's folder or a safetensors file")
      ->type_name("")
      ->required();
  command->callback([arguments] { run(*arguments); });
}

}  // namespace framefold

// framefold plan CONFIG
#include "cli/command.h"
#include "cli/plan_report.h"
#include "cli/print.h"

namespace framefold {
namespace {

struct Arguments {
  ConfigArguments config;
  std::string memory;
  bool json = false;
};

void run(const Arguments& arguments) {
  Config config = arguments.config.resolve();
  if (config.task.classifies() && config.task.classifier.classes == 0)
    config.task.classifier.classes = std::ssize(classes_of(config, open_data(config)));
  Json json;
  std::string heading;
  if (!arguments.memory.empty()) {
    const Bytes memory = parse_bytes(arguments.memory, "--memory");
    const auto batch = largest_batch(config, memory);
    if (!batch)
      fail(ErrorCode::memory, "one clip takes ", with_bytes(plan_report(config, 1).total),
           ", more than the ", with_bytes(memory),
           " of --memory; make frames, data.frames or model.widths smaller");
    config.train.batch = *batch;
    json["memory"] = memory;
    heading = text("the largest batch within ", with_bytes(memory), ": ", *batch, " clips\n\n");
  }
  const PlanReport report = plan_report(config, config.train.batch);
  if (arguments.json) {
    json["model"] = config.model.name;
    json.update(to_json(report));
    return print(json);
  }

  const DataConfig& data = config.data;
  heading += text("model ", config.model.name, ", batch ", report.batch, " of ", data.frames, " x ",
                  data.height, " x ", data.width, " x ", data.channels, ", code of ", report.code,
                  " numbers a clip\n", report.parameters, " parameters, ",
                  with_prefix(report.forward_flops + report.backward_flops, "flop"), " a step\n\n");
  TextTable memory({"memory"}), flops(flops_heading);
  for (const auto& row : memory_rows(report)) memory.row(row);
  for (const auto& row : flops_rows(report)) flops.row(row);
  print(heading + memory.text() + '\n' + flops.text());
}

}  // namespace

void add_plan(CLI::App& app) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command =
      subcommand(app, "plan", "Show a run's parameters, operations and memory without running it",
                 "  framefold plan moving-digits\n"
                 "  framefold plan clips --memory 8GiB        the largest batch that fits\n"
                 "  framefold plan my.toml --set train.batch=64 --json\n",
                 arguments->json);
  arguments->config.add_to(*command);
  command->add_option("--memory", arguments->memory, "Find the largest batch that fits")
      ->type_name("SIZE");
  command->callback([arguments] { run(*arguments); });
}

}  // namespace framefold

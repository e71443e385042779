// framefold bench CONFIG
#include <sys/resource.h>

#include <ctime>

#include "cli/command.h"
#include "cli/plan_report.h"
#include "cli/print.h"
#include "cli/run_directory.h"
#include "cli/step_times.h"
#include "cli/training_parts.h"
#include "cli/training_run.h"
#include "engine/train.h"
#include "io/file.h"
#include "io/printable.h"

namespace framefold {
namespace {

struct Arguments {
  ConfigArguments config;
  double seconds = 10;
  std::string compare, out;
  bool json = false;
};

Bytes peak_resident() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<Bytes>(usage.ru_maxrss) * 1024;
}

std::string today() {
  const std::time_t now = std::time(nullptr);
  std::array<char, 16> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%d", std::gmtime(&now));
  return text.data();
}

Json to_json(const Interval& interval) {
  return {{"median", interval.median}, {"low", interval.low}, {"high", interval.high}};
}

Interval interval_of(const nlohmann::ordered_json& json, const std::string& file) {
  try {
    const auto& step = json.at("step_seconds");
    return {step.at("median"), step.at("low"), step.at("high")};
  } catch (const nlohmann::json::exception& error) {
    fail(ErrorCode::format, file, " holds no times of `framefold bench --json`: ", error.what());
  }
}

struct Measured {
  Json json;
  std::string paths;  // a table of measured paths, where there are such
};

Measured measure(const Arguments& arguments) {
  TrainingParts parts(arguments.config.resolve());
  const Config& config = parts.config;
  const TrainConfig& train = config.train;
  const PlanReport plan = plan_report(config, train.batch);
  constexpr Index many = 1'000'000'000;
  Trainer trainer(*parts.executor, *parts.parameters, *parts.optimizer, *parts.source,
                  {.seed = static_cast<std::uint64_t>(train.seed),
                   .steps = many,
                   .accumulate = train.accumulate,
                   .schedule = schedule_of(train, many)});

  constexpr Index warm_up = 2, least = 10;
  double first_step = 0, tenth_step = 0;
  std::vector<double> steps, waits, computes, updates;
  const auto begun = std::chrono::steady_clock::now();
  trainer.run(
      {.step =
           [&](const StepRecord& record) {
             if (record.step == 0) first_step = process_age_ms();
             if (record.step == 9) tenth_step = process_age_ms();
             if (record.step < warm_up) return;
             steps.push_back(record.seconds());
             waits.push_back(record.data_seconds);
             computes.push_back(record.compute_seconds);
             updates.push_back(record.update_seconds);
           },
       .evaluate = {},
       .saved = {},
       .stop =
           [&] {
             const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - begun;
             return static_cast<Index>(steps.size()) >= least && passed.count() > arguments.seconds;
           }});
  // Forward and backward share what the steps leave of waiting and updating.
  double forward = 0, backward = 0;
  for (const StepTime& time : parts.executor->times())
    (time.step->phase == Phase::forward ? forward : backward) += time.seconds;
  const auto runs = static_cast<double>(trainer.counters().step);
  const Interval step = median_interval(steps);
  const auto clips = static_cast<double>(train.batch * train.accumulate);
  Json split{{"data", median_interval(waits).median}};
  if (device_of(train).kind == Device::Kind::cuda) {  // a step is one piece there
    split["compute"] = median_interval(computes).median;
  } else {
    split["forward"] = forward / runs;
    split["backward"] = backward / runs;
    split["update"] = median_interval(updates).median;
  }
  Json json{
      {"config", arguments.config.file},
      {"sets", arguments.config.sets},
      {"model", config.model.name},
      {"batch", train.batch},
      {"accumulate", train.accumulate},
      {"clip", {config.data.frames, config.data.height, config.data.width, config.data.channels}},
      {"date", today()},
      {"version", version_text()},
      {"processor", processor_name()},
      {"device", parts.device},
      {"threads", train.threads},
      {"steps", steps.size()},
      {"step_seconds", to_json(step)},
      {"clips_per_second",
       {{"median", clips / step.median}, {"low", clips / step.high}, {"high", clips / step.low}}},
      {"split_seconds", split},
      {"flops", static_cast<double>(train.accumulate) * (plan.forward_flops + plan.backward_flops)},
      {"memory",
       {{"planned", plan.total}, {"tensors", tensor_memory()}, {"resident_peak", peak_resident()}}},
      {"first_step_ms", first_step},
      {"tenth_step_ms", tenth_step}};
  if (!parts.paths) return {json, {}};
  for (const Step& each : parts.executor->plan().steps())
    if (const auto found = parts.paths->choices.find(signature_of(parts.executor->plan(), each));
        found != parts.paths->choices.end())
      json["paths"][found->first] = found->second == Path::vendor ? "vendor" : "native";
  return {json, parts.paths->report};
}

std::string text_of(const Json& json) {
  const auto milliseconds = [](const Json& seconds) {
    return with_digits(1e3 * seconds.get<double>(), 3) + " ms";
  };
  const Json& step = json["step_seconds"];
  const Json& rate = json["clips_per_second"];
  TextTable table;
  table.row({"clips/s", with_digits(rate["median"], 2),
             text(with_digits(rate["low"], 2), " to ", with_digits(rate["high"], 2))});
  table.row({"step", milliseconds(step["median"]),
             text(milliseconds(step["low"]), " to ", milliseconds(step["high"]), ", ",
                  json["steps"].get<Index>(), " steps")});
  for (const auto& [name, seconds] : json["split_seconds"].items())
    table.row({"  " + name, milliseconds(seconds),
               with_percent(seconds.get<double>() / step["median"].get<double>())});
  table.row({"arithmetic",
             with_prefix(json["flops"].get<double>() / step["median"].get<double>(), "flop/s"),
             ""});
  const Json& memory = json["memory"];
  table.row({"memory", with_bytes(memory["resident_peak"]),
             text("resident peak; tensors ", with_bytes(memory["tensors"]), " of ",
                  with_bytes(memory["planned"]), " planned")});
  table.row({"first step", with_digits(json["first_step_ms"], 0) + " ms", "after the start"});
  return text("model ", json["model"].get<std::string>(), ", batch ", json["batch"].get<Index>(),
              ", ", json["processor"].get<std::string>(), ", ", json["device"].get<std::string>(),
              "\n\n", table.text());
}

void run(const Arguments& arguments) {
  std::optional<Json> before;
  if (!arguments.compare.empty()) {
    before = Json::parse(read_file(arguments.compare, 1 << 20), nullptr, false);
    interval_of(*before, arguments.compare);
  }
  auto [json, paths] = measure(arguments);
  std::string shown = text_of(json);
  if (!paths.empty()) shown += '\n' + paths;
  if (before) {
    const Interval old = interval_of(*before, arguments.compare);
    const Interval now = interval_of(json, "this run");
    const std::string_view verdict = name_of(compare(old, now));
    const double ratio = old.median / now.median;
    const bool comparable = (*before)["processor"] == json["processor"] &&
                            (*before)["config"] == json["config"] &&
                            (*before)["sets"] == json["sets"];
    json["compared"] = {{"with", arguments.compare},
                        {"verdict", verdict},
                        {"speedup", ratio},
                        {"same_machine_and_config", comparable}};
    shown +=
        text("\n", verdict, ": ", with_digits(ratio, 3), " times as fast as ", arguments.compare,
             comparable ? "" : ", which is of another machine or configuration", "\n");
  }
  if (!arguments.out.empty()) write_file(arguments.out, dumped(json, 1) + "\n");
  if (arguments.json) return print(json);
  print(shown);
}

}  // namespace

void add_bench(CLI::App& app) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = subcommand(
      app, "bench", "Time whole training steps: clips per second, where the time goes, memory",
      "  framefold bench moving-digits\n"
      "  framefold bench clips --set data.path=DIR --seconds 30 --out before.json\n"
      "  framefold bench clips --set data.path=DIR --compare before.json\n\n"
      "Bounds hold the true median 95 times of 100. Faster, slower: the bounds of both times do "
      "not\n"
      "touch and the medians differ by more than 2 %; same: even the far ends differ by no more.\n",
      arguments->json);
  arguments->config.add_to(*command);
  command
      ->add_option("--seconds", arguments->seconds,
                   "How long to train, two steps to warm up included")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--compare", arguments->compare, "A file that --out or --json wrote")
      ->type_name("FILE");
  command->add_option("--out", arguments->out, "Keep the figures")->type_name("FILE");
  command->callback([arguments] { run(*arguments); });
}

}  // namespace framefold

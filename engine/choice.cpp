#include "engine/choice.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "engine/executor.h"
#include "io/safetensors.h"

namespace framefold {
namespace {

const std::string machine_key = "framefold.machine";
constexpr std::string_view own_keys = "framefold.";

constexpr std::pair<Path, std::string_view> names[] = {{Path::native, "native"},
                                                       {Path::vendor, "vendor"}};

}  // namespace

std::string signature_of(const Plan& plan, const Step& step) {
  if (step.kind != Step::Kind::forward && step.kind != Step::Kind::backward) return {};
  const Graph& graph = plan.graph();
  const Graph::Node& node = graph.nodes()[static_cast<std::size_t>(step.node)];
  Types in;
  for (const Value value : node.in) in.push_back(graph.type(value));
  const auto attributes = node.op->vendor_attributes(plan.options().stream, in);
  if (!attributes) return {};
  const bool both = node.op->one_path_both_ways();
  const bool forward = step.kind == Step::Kind::forward || both;
  std::string signature = text(node.op->name(),
                               both      ? ", "
                               : forward ? " forward, "
                                         : " backward, ",
                               *attributes);
  for (std::size_t i = 0; i < in.size(); ++i) {
    signature += text(", ", in[i]);
    if (!forward && step.din[i].home != Slot::Home::none) signature += " and its gradient";
  }
  for (const Value value : node.out) signature += text(" to ", graph.type(value));
  return signature;
}

StepTimer timer_of(std::shared_ptr<const Plan> plan) {
  struct Probe {
    explicit Probe(const std::shared_ptr<const Plan>& plan)
        : parameters(plan->graph(), true, plan->options().stream.device),
          executor(plan, parameters) {
      parameters.initialize(0);
    }
    Parameters parameters;
    Executor executor;
  };
  return [plan, probe = std::make_shared<Probe>(plan)](Path path) {
    std::vector<Path> paths;
    for (const Step& step : plan->steps())
      paths.push_back(signature_of(*plan, step).empty() ? plan->options().stream.path : path);
    probe->executor.take(std::move(paths));
    probe->executor.profile(true);
    probe->executor.run({});
    std::vector<double> seconds;
    for (const StepTime& time : probe->executor.times()) seconds.push_back(time.seconds);
    return seconds;
  };
}

std::vector<ChoiceRow> choose(const Plan& plan, Choices& choices, const StepTimer& timer) {
  constexpr int rounds = 4;
  const std::size_t count = plan.steps().size();
  std::vector<std::string> signatures;
  std::vector<ChoiceRow> rows;
  std::map<std::string, std::size_t> row_of;
  bool known = true;
  for (const Step& step : plan.steps()) {
    const std::string& signature = signatures.emplace_back(signature_of(plan, step));
    if (signature.empty()) continue;
    known = known && choices.contains(signature);
    if (row_of.try_emplace(signature, rows.size()).second) rows.push_back({signature});
    ++rows[row_of[signature]].steps;
  }

  if (!known) {
    constexpr double never = std::numeric_limits<double>::infinity();
    std::vector<double> native(count, never), vendor(count, never);
    for (int round = 0; round < rounds; ++round)
      for (auto& [path, best] : {std::pair{Path::native, &native}, {Path::vendor, &vendor}}) {
        const std::vector<double> seconds = timer(path);
        for (std::size_t s = 0; s < count; ++s) (*best)[s] = std::min((*best)[s], seconds[s]);
      }
    for (std::size_t s = 0; s < count; ++s) {
      if (signatures[s].empty() || choices.contains(signatures[s])) continue;
      ChoiceRow& row = rows[row_of[signatures[s]]];
      row.native += native[s];
      row.vendor += vendor[s];
    }
  }
  for (ChoiceRow& row : rows)
    row.path =
        choices.try_emplace(row.signature, row.vendor < row.native ? Path::vendor : Path::native)
            .first->second;
  return rows;
}

std::vector<Path> paths_of(const Plan& plan, const Choices& choices) {
  std::vector<Path> paths;
  for (const Step& step : plan.steps()) {
    const auto found = choices.find(signature_of(plan, step));
    paths.push_back(found == choices.end() ? plan.options().stream.path : found->second);
  }
  return paths;
}

void write_choices(const std::filesystem::path& path, const std::string& machine,
                   const Choices& choices) {
  SafetensorsMetadata metadata{{machine_key, machine}};
  for (const auto& [signature, chosen] : choices)
    metadata[signature] =
        std::ranges::find(names, chosen, [](const auto& n) { return n.first; })->second;
  write_safetensors(path, {}, metadata);
}

Choices read_choices(const std::filesystem::path& path, const std::string& machine) {
  const SafetensorsFile file(path);
  file.verify();
  const auto measured_on = file.metadata().find(machine_key);
  if (measured_on == file.metadata().end())
    fail(ErrorCode::format, path.string(), " holds no choices of paths");
  if (!machine.empty() && measured_on->second != machine)
    fail(ErrorCode::format, path.string(), " was measured on \"", measured_on->second,
         "\", this is \"", machine, '"');
  Choices choices;
  for (const auto& [signature, name] : file.metadata()) {
    if (signature.starts_with(own_keys)) continue;
    const auto found = std::ranges::find(names, name, [](const auto& n) { return n.second; });
    if (found == std::end(names))
      fail(ErrorCode::format, path.string(), ": \"", signature, "\" takes the path \"", name,
           "\", expected native or vendor");
    choices[signature] = found->first;
  }
  return choices;
}

}  // namespace framefold

#include "cli/plan_report.h"

#include <algorithm>
#include <map>

#include "cli/print.h"
#include "engine/parameters.h"

namespace framefold {
namespace {

std::vector<OpCost> costs_of(const Plan& plan) {
  std::map<std::string, OpCost> by_name;
  for (const Step& step : plan.steps()) {
    if (step.kind != Step::Kind::forward && step.kind != Step::Kind::backward) continue;
    const Graph::Node& node = plan.graph().nodes()[static_cast<std::size_t>(step.node)];
    OpCost& cost = by_name[std::string(node.op->name())];
    if (step.phase == Phase::forward) {
      ++cost.count;
      cost.forward_flops += step.flops;
    } else {
      cost.backward_flops += step.flops;
    }
  }
  std::vector<OpCost> costs;
  for (auto& [name, cost] : by_name) {
    cost.op = name;
    costs.push_back(cost);
  }
  std::stable_sort(costs.begin(), costs.end(), [](const OpCost& a, const OpCost& b) {
    return a.forward_flops + a.backward_flops > b.forward_flops + b.backward_flops;
  });
  return costs;
}

}  // namespace

PlanReport plan_report(const Config& config, Index batch) {
  const Compiled training = compile_training(config, batch);
  const Plan& plan = *training.plan;
  const Graph& graph = plan.graph();
  PlanReport report{.batch = batch};
  for (const Graph::ValueInfo& value : graph.values())
    if (value.kind == Graph::Kind::parameter) report.parameters += value.type.shape.size();
  report.code = graph.shape(training.model.code).size() / batch;

  report.values = Parameters::bytes_of(graph, false);
  report.gradients = Parameters::bytes_of(graph, true) - report.values;
  report.optimizer = Optimizer::bytes_of(graph, optimizer_options(config.train));
  report.arena = plan.arena_bytes();
  report.arena_bound = plan.live_bytes_bound();
  if (config.train.evaluate_every > 0 && config.data.held_out > 0)
    report.evaluation =
        compile_evaluation(config, evaluation_batches(batch, config.train.evaluate_clips).front())
            .plan->arena_bytes();
  const Index waiting = config.data.workers > 0 ? config.data.prefetch : 1;
  const Bytes clips = graph.type(training.model.clip).bytes();
  report.data = static_cast<Bytes>(waiting) * clips;
  if (changes(config.corrupt)) report.data = 2 * report.data + 2 * clips;  // pairs, and one more

  const Bytes held = report.values + report.gradients + report.optimizer + report.data;
  report.forward = held + plan.peak(Phase::forward);
  report.backward = held + plan.peak(Phase::backward);
  report.update = held;
  report.total = held + report.arena + report.evaluation;

  report.ops = costs_of(plan);
  for (const OpCost& cost : report.ops) {
    report.forward_flops += cost.forward_flops;
    report.backward_flops += cost.backward_flops;
  }
  return report;
}

nlohmann::ordered_json to_json(const PlanReport& report) {
  nlohmann::ordered_json json;
  json["batch"] = report.batch;
  json["parameters"] = report.parameters;
  json["code"] = report.code;
  json["bytes"] = {{"parameters", report.values},     {"gradients", report.gradients},
                   {"optimizer", report.optimizer},   {"data", report.data},
                   {"arena", report.arena},           {"arena_bound", report.arena_bound},
                   {"evaluation", report.evaluation}, {"total", report.total}};
  json["peak_bytes"] = {
      {"forward", report.forward}, {"backward", report.backward}, {"update", report.update}};
  json["flops"] = {{"forward", report.forward_flops}, {"backward", report.backward_flops}};
  for (const OpCost& cost : report.ops)
    json["operations"].push_back({{"name", cost.op},
                                  {"count", cost.count},
                                  {"forward_flops", cost.forward_flops},
                                  {"backward_flops", cost.backward_flops}});
  return json;
}

std::optional<Index> largest_batch(const Config& config, Bytes memory) {
  const auto fits = [&](Index batch) { return plan_report(config, batch).total <= memory; };
  if (!fits(1)) return std::nullopt;
  Index fitting = 1, failing = 2;
  constexpr Index most = Index{1} << 20;
  for (; failing < most && fits(failing); failing *= 2) fitting = failing;
  while (failing - fitting > 1) {
    const Index middle = (fitting + failing) / 2;
    (fits(middle) ? fitting : failing) = middle;
  }
  return fitting;
}

std::vector<std::vector<std::string>> memory_rows(const PlanReport& report) {
  return {{"parameters", with_bytes(report.values)},
          {"gradients", with_bytes(report.gradients)},
          {"optimiser", with_bytes(report.optimizer)},
          {"batches read ahead", with_bytes(report.data)},
          {"arena: activations, their gradients, workspaces", with_bytes(report.arena)},
          {"arena of an evaluation", with_bytes(report.evaluation)},
          {"all that a run takes", with_bytes(report.total)},
          {"in use at the forward pass's peak", with_bytes(report.forward)},
          {"in use at the backward pass's peak", with_bytes(report.backward)},
          {"in use at the update", with_bytes(report.update)},
          {"arena that no placement could go below", with_bytes(report.arena_bound)}};
}

std::vector<std::vector<std::string>> flops_rows(const PlanReport& report) {
  const double all = report.forward_flops + report.backward_flops;
  std::vector<std::vector<std::string>> rows;
  for (const OpCost& cost : report.ops)
    rows.push_back({cost.op, text(cost.count), with_prefix(cost.forward_flops),
                    with_prefix(cost.backward_flops),
                    with_percent(all > 0 ? (cost.forward_flops + cost.backward_flops) / all : 0)});
  rows.push_back({"all", "", with_prefix(report.forward_flops), with_prefix(report.backward_flops),
                  with_percent(1)});
  return rows;
}

}  // namespace framefold

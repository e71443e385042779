#include "bench/model_rows.h"

#include <algorithm>

#include "cli/parts.h"
#include "cli/print.h"

namespace framefold::bench {
namespace {

bool alike(const ModelOp& known, const Graph::Node& node, const Types& in, bool backward) {
  return known.row.op->name() == node.op->name() && known.row.in == in &&
         known.backward == backward && known.row.op->infer(in) == node.op->infer(in);
}

}  // namespace

std::vector<ModelOp> ops_of(const Config& config, Index batch) {
  const Compiled compiled = compile_training(config, batch);
  const Graph& graph = compiled.plan->graph();
  std::vector<bool> runs(graph.nodes().size());
  std::vector<bool> backward(graph.nodes().size());
  for (const Step& step : compiled.plan->steps()) {
    if (step.kind == Step::Kind::forward) runs[static_cast<std::size_t>(step.node)] = true;
    if (step.kind == Step::Kind::backward) backward[static_cast<std::size_t>(step.node)] = true;
  }
  std::vector<ModelOp> ops;
  for (std::size_t n = 0; n < graph.nodes().size(); ++n) {
    if (!runs[n]) continue;
    const Graph::Node& node = graph.nodes()[n];
    Types in;
    for (const Value value : node.in) in.push_back(graph.type(value));
    const auto known = std::find_if(ops.begin(), ops.end(), [&](const ModelOp& op) {
      return alike(op, node, in, backward[n]);
    });
    if (known != ops.end())
      ++known->count;
    else
      ops.push_back({node.label, {node.op, in}, backward[n], 1});
  }
  return ops;
}

void add_model_rows(const std::string& name, const Config& config, Index batch) {
  for (const ModelOp& op : ops_of(config, batch)) {
    std::vector<Pass> passes = {Pass::forward};
    if (op.backward) passes.push_back(Pass::backward);
    const std::string times = op.count > 1 ? text(" x ", op.count) : "";
    add_op(text(name, '/', op.label, times), op.row, passes);
  }
}

std::string floor_table(const std::string& name, const Config& config, Index batch,
                        const Roof& roof) {
  TextTable table(
      {"operation", "count", "forward", "bytes", "floor", "backward", "bytes", "floor"});
  double total = 0;
  for (ModelOp& op : ops_of(config, batch)) {
    op.row = in_bf16(op.row);
    const auto cells = [&](Pass pass) -> std::vector<std::string> {
      const Cost cost = cost_of(op.row, pass, 1);
      total += op.count * cost.floor(roof);
      return {with_prefix(cost.flops, "flop"), with_prefix(cost.bytes, "B"),
              text(1e6 * cost.floor(roof), " us")};
    };
    std::vector<std::string> row = {op.label, text(op.count)};
    for (const std::string& cell : cells(Pass::forward)) row.push_back(cell);
    if (op.backward)
      for (const std::string& cell : cells(Pass::backward)) row.push_back(cell);
    table.row(row);
  }
  return text(name, ", batch ", batch, ", activations bf16, at ", with_prefix(roof.flops, "flop/s"),
              " and ", with_prefix(roof.bytes, "B/s"), "\n\n", table.text(),
              "\nall operations of a step: ", 1e3 * total, " ms at least\n");
}

}  // namespace framefold::bench

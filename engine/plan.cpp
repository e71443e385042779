// The planner is one walk whose parts share its state, so it stands in one long file.
#include "engine/plan.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <set>
#include <utility>

namespace framefold {
namespace {

constexpr int before_all = -1;  // inputs are written before the first step
constexpr int after_all = std::numeric_limits<int>::max();

Bytes padded(Bytes bytes, Bytes alignment) {
  return (bytes + alignment - 1) / alignment * alignment;
}

bool overlap(const Region& a, const Region& b) { return a.first <= b.last && b.first <= a.last; }

double traffic(const std::vector<Slot>& slots) {
  double bytes = 0;
  for (const Slot& slot : slots)
    if (slot.home != Slot::Home::none) bytes += static_cast<double>(slot.type.bytes());
  return bytes;
}

}  // namespace

Bytes place(std::vector<Region>& regions, Bytes alignment) {
  std::vector<std::size_t> order(regions.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return regions[a].bytes > regions[b].bytes;
  });
  Bytes total = 0;
  std::vector<const Region*> placed;  // by offset
  for (const std::size_t index : order) {
    Region& region = regions[index];
    Bytes offset = 0;
    for (const Region* other : placed)
      if (overlap(region, *other) && offset + padded(region.bytes, alignment) > other->offset)
        offset = std::max(offset, other->offset + padded(other->bytes, alignment));
    region.offset = offset;
    placed.insert(
        std::upper_bound(placed.begin(), placed.end(), &region,
                         [](const Region* a, const Region* b) { return a->offset < b->offset; }),
        &region);
    total = std::max(total, offset + padded(region.bytes, alignment));
  }
  return total;
}

// Walks the graph forward, then backward, writing steps and stretching the lives of regions; then
// merges what may happen in place, and places what is left.
class Planner {
 public:
  Planner(const Graph& graph, const PlanOptions& options) {
    plan_.graph_ = graph;
    plan_.options_ = options;
  }

  Plan build() {
    if (options().loss) check_loss();
    mark_needed();
    find_gradients();
    homes_.resize(graph().values().size());
    gradients_.resize(graph().values().size());
    for (std::size_t v = 0; v < homes_.size(); ++v) give_home(static_cast<int>(v));
    for (std::size_t n = 0; n < graph().nodes().size(); ++n)
      if (needed_[n]) forward(static_cast<int>(n));
    if (options().loss) backward();
    pin_readable();
    if (options().in_place) merge();
    finish();
    return std::move(plan_);
  }

 private:
  using Home = Slot::Home;

  const Graph& graph() const { return plan_.graph_; }
  const PlanOptions& options() const { return plan_.options_; }
  const Graph::Node& node(int n) const { return graph().nodes()[static_cast<std::size_t>(n)]; }
  const TensorType& type(Value value) const { return graph().type(value); }
  int now() const { return static_cast<int>(plan_.steps_.size()); }
  std::vector<Value> readable() const {
    std::vector<Value> values = options().fetch;
    if (options().loss) values.push_back(options().loss);
    return values;
  }

  void check_loss() const {
    const TensorType& loss = type(options().loss);
    if (!(loss == TensorType{DType::f32, {1}}))
      fail(ErrorCode::shape, "compile: the loss is ", loss, ", expected the scalar f32 [1]");
  }

  Needs needs(int n) const {
    Types in;
    Types out;
    for (const Value value : node(n).in) in.push_back(type(value));
    for (const Value value : node(n).out) out.push_back(type(value));
    Needs need = node(n).op->needs(options().stream, in, out);
    if (options().both_paths) {
      Stream stream = options().stream;
      for (const Path path : {Path::native, Path::vendor}) {
        stream.path = path;
        const Needs other = node(n).op->needs(stream, in, out);
        if (other.saved.size() > need.saved.size()) need.saved = other.saved;
        need.forward_workspace = std::max(need.forward_workspace, other.forward_workspace);
        need.backward_workspace = std::max(need.backward_workspace, other.backward_workspace);
      }
    }
    return need;
  }

  // Nodes that the loss or a fetched value depends on, and each one's needs.
  void mark_needed() {
    needed_.assign(graph().nodes().size(), false);
    std::vector<bool> wanted(graph().values().size(), false);
    for (const Value value : readable()) wanted[static_cast<std::size_t>(value.id)] = true;
    for (std::size_t n = needed_.size(); n-- > 0;) {
      const Graph::Node& candidate = graph().nodes()[n];
      for (const Value out : candidate.out)
        if (wanted[static_cast<std::size_t>(out.id)]) needed_[n] = true;
      if (!needed_[n]) continue;
      for (const Value in : candidate.in) wanted[static_cast<std::size_t>(in.id)] = true;
    }
    join();
    needs_.resize(needed_.size());
    for (std::size_t n = 0; n < needed_.size(); ++n)
      if (needed_[n] || opened_.contains(static_cast<int>(n)))
        needs_[n] = needs(static_cast<int>(n));
  }

  // Neighbours that one operation computes at once. Where the second begins a block, it is what
  // runs again there: the first one's output is what is kept of the block before.
  void join() {
    for (int n = 0; n + 1 < static_cast<int>(needed_.size()); ++n) {
      const auto at = static_cast<std::size_t>(n);
      if (!needed_[at] || !needed_[at + 1]) continue;
      const Graph::Node& next = node(n + 1);
      if (node(n).out.size() != 1 || next.in.empty() || !(next.in[0] == node(n).out[0])) continue;
      const OpPtr op = next.op->joined_to(*node(n).op, types(node(n).in));
      if (!op) continue;
      if (node(n).block != next.block) opened_.insert(n + 1);
      plan_.graph_.join(n, op);
      needed_[at + 1] = false;
    }
  }

  // Values that some parameter reaches.
  void find_gradients() {
    trained_.assign(graph().values().size(), false);
    if (!options().loss) return;
    for (std::size_t v = 0; v < trained_.size(); ++v)
      trained_[v] = graph().values()[v].kind == Graph::Kind::parameter;
    for (std::size_t n = 0; n < needed_.size(); ++n) {
      if (!needed_[n]) continue;
      const bool any = trains(static_cast<int>(n));
      for (const Value out : graph().nodes()[n].out)
        trained_[static_cast<std::size_t>(out.id)] = any;
    }
  }
  bool trained(Value value) const { return trained_[static_cast<std::size_t>(value.id)]; }

  Slot new_region(const std::string& name, const TensorType& of, int first) {
    const Bytes guard = options().debug_memory ? Plan::guard_bytes : 0;
    plan_.regions_.push_back(
        {.name = name, .bytes = of.bytes() + guard, .first = first, .last = first});
    return {.home = Home::arena, .region = static_cast<int>(plan_.regions_.size()) - 1, .type = of};
  }
  Slot new_workspace(const std::string& name, Bytes bytes) {
    if (bytes == 0) return {};
    return new_region(name, {DType::u8, {static_cast<Index>(bytes)}}, now());
  }
  Region& region(const Slot& slot) { return plan_.regions_[static_cast<std::size_t>(slot.region)]; }
  // The slot, alive through the step that is being written.
  Slot use(const Slot& slot) {
    if (slot.home == Home::arena) region(slot).last = std::max(region(slot).last, now());
    return slot;
  }
  static Slot absent(const TensorType& of) { return {.type = of}; }

  void give_home(int v) {
    const Graph::ValueInfo& info = graph().values()[static_cast<std::size_t>(v)];
    Slot& home = homes_[static_cast<std::size_t>(v)];
    switch (info.kind) {
      case Graph::Kind::parameter:
        home = {.home = Home::parameter, .name = info.name, .type = info.type};
        break;
      case Graph::Kind::buffer:
      case Graph::Kind::constant:
        home = {.home = Home::buffer, .name = info.name, .type = info.type};
        break;
      case Graph::Kind::input:
        home = new_region(info.name, info.type, before_all);
        region(home).last = after_all;
        break;
      case Graph::Kind::activation: break;  // when its node runs
    }
  }
  Slot& home(Value value) { return homes_[static_cast<std::size_t>(value.id)]; }

  void forward(int n, Phase phase = Phase::forward) {
    const Graph::Node& run = node(n);
    const Needs& need = needs_[static_cast<std::size_t>(n)];
    if (need.alias_of >= 0) {
      home(run.out[0]) = home(run.in[static_cast<std::size_t>(need.alias_of)]);
      home(run.out[0]).type = type(run.out[0]);
      return;
    }
    Step step{.kind = Step::Kind::forward, .phase = phase, .node = n, .label = run.label};
    for (const Value in : run.in) step.in.push_back(use(home(in)));
    for (const Value out : run.out) {
      home(out) = new_region(graph().info(out).name, type(out), now());
      step.out.push_back(home(out));
    }
    for (const TensorType& saved : need.saved)
      step.saved.push_back(new_region(run.label + " saved", saved, now()));
    step.workspace = new_workspace(run.label + " workspace", need.forward_workspace);
    step.flops = run.op->forward_flops(types(run.in), types(run.out));
    step.bytes = traffic(step.in) + traffic(step.out) + traffic(step.saved);
    saved_of_[n] = step.saved;
    plan_.steps_.push_back(std::move(step));
  }

  Types types(const std::vector<Value>& values) const {
    Types result;
    for (const Value value : values) result.push_back(type(value));
    return result;
  }

  void backward() {
    Step seed{.kind = Step::Kind::seed, .phase = Phase::backward, .label = "loss gradient"};
    seed.out.push_back(new_region("loss gradient", type(options().loss), now()));
    contributions(options().loss).push_back(seed.out[0]);
    plan_.steps_.push_back(seed);
    int block = -1;
    for (int n = static_cast<int>(graph().nodes().size()); n-- > 0;) {
      if (!needed_[static_cast<std::size_t>(n)]) continue;
      if (options().recompute && node(n).block != block) recompute(n);
      block = node(n).block;
      backward(n);
    }
  }

  bool trains(int n) const {
    const Graph::Node& passed = node(n);
    bool any = false;
    for (std::size_t i = 0; i < passed.in.size(); ++i)
      any = any || (needs_[static_cast<std::size_t>(n)].differentiable.has(static_cast<int>(i)) &&
                    trained(passed.in[i]));
    return any;
  }

  // Of the block that ends at node `last`, what its backward steps read is computed again; what a
  // caller reads, and blocks that change running statistics, are kept.
  void recompute(int last) {
    if (node(last).block < 0) return;
    int first = last;
    while (first > 0 && node(first - 1).block == node(last).block) --first;
    std::set<int> wanted;  // values
    std::vector<int> again;
    const std::vector<Value> kept = readable();
    for (int n = last; n >= first; --n) {
      if (opened_.contains(n + 1)) continue;
      if (!needed_[static_cast<std::size_t>(n)] && !opened_.contains(n)) continue;
      const Graph::Node& passed = node(n);
      const Needs& need = needs_[static_cast<std::size_t>(n)];
      if (!need.updates.empty()) return;
      bool runs = false;
      if (trains(n)) {
        for (std::size_t i = 0; i < passed.in.size(); ++i)
          if (need.reads_inputs.has(static_cast<int>(i))) wanted.insert(passed.in[i].id);
        for (std::size_t o = 0; o < passed.out.size(); ++o)
          if (need.reads_outputs.has(static_cast<int>(o))) wanted.insert(passed.out[o].id);
        runs = !need.saved.empty();
      }
      for (const Value out : passed.out) runs = runs || wanted.contains(out.id);
      for (const Value out : passed.out)
        runs = runs && std::find(kept.begin(), kept.end(), out) == kept.end();
      if (!runs) continue;
      again.push_back(n);
      for (const Value in : passed.in) wanted.insert(in.id);
    }
    for (std::size_t i = again.size(); i-- > 0;) forward(again[i], Phase::backward);
  }

  std::vector<Slot>& contributions(Value value) {
    return gradients_[static_cast<std::size_t>(value.id)];
  }

  // The gradient of a value: its consumers' contributions, added up in the first one's place.
  Slot gradient(Value value, int n) {
    std::vector<Slot>& parts = contributions(value);
    if (parts.empty()) return absent(type(value));
    for (std::size_t i = 1; i < parts.size(); ++i) add_up(parts[0], parts[i], n, value);
    return parts[0];
  }

  void add_up(const Slot& to, const Slot& from, int n, Value value) {
    Step step{.kind = Step::Kind::accumulate,
              .phase = Phase::backward,
              .node = n,
              .label = node(n).label + " gradients' sum"};
    step.in.push_back(use(from));
    step.out.push_back(use(to));
    step.flops = static_cast<double>(type(value).shape.size());
    step.bytes = traffic(step.in) + 2 * traffic(step.out);
    plan_.steps_.push_back(std::move(step));
  }

  void backward(int n) {
    const Graph::Node& run = node(n);
    const Needs& need = needs_[static_cast<std::size_t>(n)];
    const auto wanted = [&](std::size_t i) {
      return need.differentiable.has(static_cast<int>(i)) && trained(run.in[i]);
    };
    bool any_wanted = false;
    bool any_given = false;
    for (std::size_t i = 0; i < run.in.size(); ++i) any_wanted = any_wanted || wanted(i);
    for (const Value out : run.out) any_given = any_given || !contributions(out).empty();
    if (!any_wanted || !any_given) return;

    std::vector<Slot> dout;
    for (const Value out : run.out) dout.push_back(gradient(out, n));
    if (need.alias_of >= 0) {
      const Value in = run.in[static_cast<std::size_t>(need.alias_of)];
      Slot through = dout[0];
      through.type = type(in);
      contribute(in, through, n);
      return;
    }

    // Gradients that backward adds to start at zero, unless they are a parameter's own.
    std::vector<Slot> din;
    std::vector<std::pair<Value, Slot>> given;
    for (std::size_t i = 0; i < run.in.size(); ++i) {
      const Value in = run.in[i];
      const bool adds = need.accumulates.has(static_cast<int>(i));
      if (!wanted(i)) {
        din.push_back(absent(type(in)));
      } else if (adds && graph().info(in).kind == Graph::Kind::parameter) {
        din.push_back(own_gradient(in));
      } else {
        din.push_back({.home = Home::arena, .type = type(in)});
      }
    }
    for (std::size_t i = 0; i < run.in.size(); ++i) {
      if (din[i].home != Home::arena) continue;
      if (need.accumulates.has(static_cast<int>(i))) {
        Step zero{.kind = Step::Kind::zero,
                  .phase = Phase::backward,
                  .node = n,
                  .label = run.label + " zero"};
        din[i] = new_region(gradient_name(run.in[i]), type(run.in[i]), now());
        zero.out.push_back(din[i]);
        zero.bytes = traffic(zero.out);
        plan_.steps_.push_back(std::move(zero));
      }
    }
    for (std::size_t i = 0; i < run.in.size(); ++i) {
      if (din[i].home != Home::arena) continue;
      if (din[i].region < 0) din[i] = new_region(gradient_name(run.in[i]), type(run.in[i]), now());
      given.emplace_back(run.in[i], use(din[i]));
    }

    Step step{
        .kind = Step::Kind::backward, .phase = Phase::backward, .node = n, .label = run.label};
    for (std::size_t i = 0; i < run.in.size(); ++i)
      step.in.push_back(need.reads_inputs.has(static_cast<int>(i)) ? use(home(run.in[i]))
                                                                   : absent(type(run.in[i])));
    for (std::size_t o = 0; o < run.out.size(); ++o)
      step.out.push_back(need.reads_outputs.has(static_cast<int>(o)) ? use(home(run.out[o]))
                                                                     : absent(type(run.out[o])));
    for (const Slot& saved : saved_of_[n]) step.saved.push_back(use(saved));
    for (const Slot& slot : dout) step.dout.push_back(use(slot));
    step.din = din;
    step.workspace = new_workspace(run.label + " workspace", need.backward_workspace);
    // Where no activation wants a gradient, only the parameters' half is computed.
    const double share = given.empty() ? 0.5 : 1;
    step.flops = share * run.op->backward_flops(types(run.in), types(run.out));
    step.bytes = traffic(step.in) + traffic(step.out) + traffic(step.saved) + traffic(step.dout) +
                 traffic(step.din);
    plan_.steps_.push_back(std::move(step));
    for (const auto& [value, slot] : given) contribute(value, slot, n);
  }

  std::string gradient_name(Value value) const { return "gradient of " + graph().info(value).name; }
  Slot own_gradient(Value parameter) const {
    return {.home = Home::gradient, .name = graph().info(parameter).name, .type = type(parameter)};
  }

  void contribute(Value value, const Slot& slot, int n) {
    if (graph().info(value).kind == Graph::Kind::parameter)
      add_up(own_gradient(value), slot, n, value);
    else
      contributions(value).push_back(slot);
  }

  void pin_readable() {
    plan_.readable_.resize(graph().values().size());
    for (std::size_t v = 0; v < homes_.size(); ++v)
      if (graph().values()[v].kind == Graph::Kind::input) plan_.readable_[v] = homes_[v];
    for (const Value value : readable()) {
      Slot& slot = home(value);
      if (slot.home == Home::arena) region(slot).last = after_all;
      plan_.readable_[static_cast<std::size_t>(value.id)] = slot;
    }
  }

  // An output that is born in the step in which its parent dies takes the parent's bytes.
  void merge() {
    const auto join = [&](const Slot& parent, Slot& child, int step) {
      if (parent.home != Home::arena || child.home != Home::arena) return;
      Region& older = region(root(parent));
      Region& younger = region(root(child));
      if (&older == &younger || older.last != step || younger.first != step) return;
      if (older.bytes != younger.bytes) return;
      older.last = younger.last;
      merged_into_[root(child).region] = root(parent).region;
    };
    for (int s = 0; s < now(); ++s) {
      Step& step = plan_.steps_[static_cast<std::size_t>(s)];
      if (step.kind != Step::Kind::forward && step.kind != Step::Kind::backward) continue;
      const Needs& need = needs_[static_cast<std::size_t>(step.node)];
      if (step.kind == Step::Kind::forward && need.in_place && read_once(step.in))
        join(step.in[0], step.out[0], s);
      if (step.kind == Step::Kind::backward && need.gradient_in_place)
        join(step.dout[0], step.din[0], s);
    }
  }
  bool read_once(const std::vector<Slot>& in) {
    for (std::size_t i = 1; i < in.size(); ++i)
      if (in[i].home == Home::arena && in[0].home == Home::arena &&
          root(in[i]).region == root(in[0]).region)
        return false;
    return true;
  }
  Slot root(Slot slot) const {
    for (auto up = merged_into_.find(slot.region); up != merged_into_.end();
         up = merged_into_.find(slot.region))
      slot.region = up->second;
    return slot;
  }

  // Places the regions that are left and writes their offsets into every slot.
  void finish() {
    std::vector<Region> kept;
    std::vector<int> number(plan_.regions_.size(), -1);
    for (std::size_t r = 0; r < plan_.regions_.size(); ++r) {
      if (merged_into_.contains(static_cast<int>(r))) continue;
      number[r] = static_cast<int>(kept.size());
      kept.push_back(plan_.regions_[r]);
      kept.back().last = std::min(kept.back().last, now() - 1);
    }
    plan_.arena_bytes_ = place(kept, Plan::alignment);
    plan_.regions_ = std::move(kept);
    const auto settle = [&](Slot& slot) {
      if (slot.home != Home::arena) return;
      slot.region = number[static_cast<std::size_t>(root(slot).region)];
      slot.offset = plan_.regions_[static_cast<std::size_t>(slot.region)].offset;
    };
    for (Step& step : plan_.steps_) {
      for (auto* slots : {&step.in, &step.out, &step.saved, &step.dout, &step.din})
        for (Slot& slot : *slots) settle(slot);
      settle(step.workspace);
    }
    for (Slot& slot : plan_.readable_) settle(slot);
    plan_.live_bound_ = std::max(plan_.peak(Phase::forward), plan_.peak(Phase::backward));
  }

  Plan plan_;
  std::vector<bool> needed_;                  // by node
  std::set<int> opened_;                      // nodes joined to the last one of the block before
  std::vector<Needs> needs_;                  // by node
  std::vector<bool> trained_;                 // by value
  std::vector<Slot> homes_;                   // by value
  std::vector<std::vector<Slot>> gradients_;  // by value: the consumers' contributions
  std::map<int, std::vector<Slot>> saved_of_;
  std::map<int, int> merged_into_;  // by region
};

Plan compile(const Graph& graph, const PlanOptions& options) {
  return Planner(graph, options).build();
}

Bytes Plan::peak(Phase phase) const {
  Bytes most = 0;
  for (std::size_t s = 0; s < steps_.size(); ++s) {
    if (steps_[s].phase != phase) continue;
    Bytes live = 0;
    for (const Region& region : regions_)
      if (region.first <= static_cast<int>(s) && static_cast<int>(s) <= region.last)
        live += padded(region.bytes, alignment);
    most = std::max(most, live);
  }
  return most;
}

double Plan::flops() const {
  double sum = 0;
  for (const Step& step : steps_) sum += step.flops;
  return sum;
}

const Slot& Plan::slot(Value value) const {
  const Graph::ValueInfo& info = graph_.info(value);
  const Slot& slot = readable_[static_cast<std::size_t>(value.id)];
  if (slot.home == Slot::Home::none)
    fail(ErrorCode::argument, "plan: ", info.name,
         " is not kept; name it in PlanOptions::fetch to read it after a run");
  return slot;
}

}  // namespace framefold

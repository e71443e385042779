// A graph turned into one flat list of steps over one arena. The executor, the memory report, the
// profiler and the tests all read this list. A plan is immutable and holds no data; a new shape is
// a new plan.
#pragma once

#include <string>
#include <vector>

#include "engine/graph.h"

namespace framefold {

struct PlanOptions {
  Value loss;                 // a scalar f32 [1]; none: forward only
  std::vector<Value> fetch;   // values that stay readable after a run; the loss always does
  Stream stream;              // device, threads, path
  bool in_place = true;       // let operations overwrite what dies
  bool recompute = false;     // keep of a graph's blocks the inputs alone, compute them twice
  bool both_paths = false;    // workspaces fit our path and the vendor's, whichever a step takes
  bool debug_memory = false;  // guard bytes behind every region, dead regions poisoned
};

enum class Phase : std::uint8_t { forward, backward };

// Where a tensor's bytes stand.
struct Slot {
  enum class Home : std::uint8_t { none, arena, parameter, gradient, buffer };
  Home home = Home::none;
  Bytes offset = 0;  // arena
  std::string name;  // parameter, gradient, buffer (constants too)
  int region = -1;   // arena: its region
  TensorType type;
};

struct Step {
  enum class Kind : std::uint8_t {
    forward,     // an operation's forward; in the backward phase, once more
    backward,    // an operation's backward
    seed,        // out[0] = the loss's own gradient
    zero,        // out[0] = 0
    accumulate,  // out[0] += in[0]
  };
  Kind kind = Kind::forward;
  Phase phase = Phase::forward;
  int node = -1;  // forward, backward: the node; the others: the node on whose behalf they stand
  std::string label;
  std::vector<Slot> in, out, saved, dout, din;
  Slot workspace;
  double flops = 0;
  double bytes = 0;  // read and written at least once each: the floor of memory traffic
};

// A piece of the arena with its life, in steps, both ends included.
struct Region {
  std::string name;
  Bytes offset = 0;
  Bytes bytes = 0;
  int first = 0;
  int last = 0;
};

class Plan {
 public:
  const Graph& graph() const { return graph_; }
  const PlanOptions& options() const { return options_; }
  const std::vector<Step>& steps() const { return steps_; }
  const std::vector<Region>& regions() const { return regions_; }
  Bytes arena_bytes() const { return arena_bytes_; }
  Bytes live_bytes_bound() const { return live_bound_; }  // no placement needs less
  Bytes peak(Phase phase) const;                          // the most bytes live at once in a phase
  double flops() const;

  // The slot of an input, the loss or a fetched value, valid after a run; Error for others.
  const Slot& slot(Value value) const;

  static constexpr Bytes alignment = 256;
  static constexpr Bytes guard_bytes = 64;

 private:
  friend class Planner;
  Graph graph_;
  PlanOptions options_;
  std::vector<Step> steps_;
  std::vector<Region> regions_;
  std::vector<Slot> readable_;  // by value; home none where not readable after a run
  Bytes arena_bytes_ = 0;
  Bytes live_bound_ = 0;
};

Plan compile(const Graph& graph, const PlanOptions& options);

// Gives every region an offset so that regions whose lives overlap share no byte; returns the
// bytes needed. Large regions first, each at the lowest fitting offset.
Bytes place(std::vector<Region>& regions, Bytes alignment);

}  // namespace framefold

#include "engine/executor.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

#include "engine/replay.h"
#include "kernels/device.h"

namespace framefold {
namespace {

constexpr std::byte guard_pattern{0xA5};
constexpr int poison_pattern = 0xFF;  // NaN in every floating type

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

struct Executor::Remote {
  struct Result {  // the loss or a fetched value
    Value value;
    View live;
    Tensor host;
  };

  Remote(const Stream& stream, std::vector<Tensor> inputs, std::size_t randoms)
      : runtime(device_runtime(stream.device)),
        feed(stream, std::move(inputs), randoms),
        forward(stream),
        whole(stream) {}
  Remote(const Remote&) = delete;
  Remote& operator=(const Remote&) = delete;
  ~Remote() {
    for (const DeviceRuntime::Event event : events) runtime.release_event(event);
  }

  DeviceRuntime& runtime;
  Feed feed;
  Buffer host;
  std::vector<Result> results;
  Replay forward, whole;
  float scale = 1;                           // of `whole`
  std::vector<DeviceRuntime::Event> events;  // profiling: before each step and after the last
  std::size_t timed = 0;                     // steps between them
  std::vector<std::byte> looked_at;
};

Executor::Executor(std::shared_ptr<const Plan> plan, Parameters& parameters)
    : plan_(std::move(plan)),
      parameters_(parameters),
      stream_(on_main_queue(plan_->options().stream)),
      arena_(plan_->arena_bytes(), stream_.device),
      paths_(plan_->steps().size(), stream_.path) {
  if (!(parameters.device() == stream_.device))
    fail(ErrorCode::argument, "executor: plan and parameters are for two devices");
  const auto bind_all = [this](const std::vector<Slot>& slots) {
    std::vector<Tensor> tensors;
    for (const Slot& slot : slots) tensors.push_back(bind(slot));
    return tensors;
  };
  for (const Step& step : plan_->steps()) {
    Bound bound{.in = bind_all(step.in),
                .out = bind_all(step.out),
                .saved = bind_all(step.saved),
                .dout = bind_all(step.dout),
                .din = bind_all(step.din),
                .workspace = {}};
    if (step.workspace.home == Slot::Home::arena) {
      const Tensor space = bind(step.workspace);
      bound.workspace = Workspace(space.data, space.bytes());
    }
    bound_.push_back(std::move(bound));
    if (step.phase == Phase::forward) ++forward_steps_;
  }
  if (!on_device(stream_)) return;
  if (plan_->options().debug_memory)
    fail(ErrorCode::argument, "executor: memory is watched on the CPU alone");
  std::vector<Tensor> inputs;
  for (const Graph::ValueInfo& info : plan_->graph().values())
    if (info.kind == Graph::Kind::input)
      inputs.push_back(bind(plan_->slot(plan_->graph().find(info.name))));
  remote_ = std::make_unique<Remote>(stream_, std::move(inputs), plan_->graph().nodes().size());
  std::vector<Value> readable = plan_->options().fetch;
  if (plan_->options().loss) readable.push_back(plan_->options().loss);
  Bytes bytes = 0;
  for (const Value value : readable) bytes += Buffer::padded(live(value).bytes());
  remote_->host = Buffer::pinned(bytes, stream_.device);
  std::byte* next = remote_->host.data();
  for (const Value value : readable) {
    const View from = live(value);
    remote_->results.push_back({value, from, {next, from.dtype, from.shape}});
    next += Buffer::padded(from.bytes());
  }
}

Executor::~Executor() = default;

Tensor Executor::bind(const Slot& slot) const {
  Tensor tensor{nullptr, slot.type.dtype, slot.type.shape};
  switch (slot.home) {
    case Slot::Home::none: break;
    case Slot::Home::arena: tensor.data = arena_.data() + slot.offset; break;
    case Slot::Home::parameter:
    case Slot::Home::buffer: tensor = parameters_.live(slot.name); break;
    case Slot::Home::gradient: tensor = parameters_.gradient(slot.name); break;
  }
  if (slot.home != Slot::Home::none && !(tensor.shape == slot.type.shape))
    fail(ErrorCode::shape, "executor: ", slot.name, " is ", tensor.shape,
         " in these parameters, expected ", slot.type.shape);
  return tensor;
}

Tensor Executor::input(const std::string& name) const {
  const Tensor live = bind(plan_->slot(plan_->graph().find(name)));
  if (!remote_) return live;
  std::size_t before = 0;  // inputs stand in the order of the graph
  for (const Graph::ValueInfo& info : plan_->graph().values()) {
    if (info.kind != Graph::Kind::input) continue;
    if (info.name == name) break;
    ++before;
  }
  return remote_->feed.inputs(0)[before];
}

View Executor::value(Value value) const {
  if (!remote_) return live(value);
  for (const Remote::Result& result : remote_->results)
    if (result.value == value) return result.host;
  fail(ErrorCode::argument, "executor: a value that is not fetched stays on the device");
}

float Executor::loss() const { return *value(plan_->options().loss).as<float>(); }

void Executor::execute(std::size_t index, Counter counter, float scale) {
  const Step& step = plan_->steps()[index];
  Bound& bound = bound_[index];
  switch (step.kind) {
    case Step::Kind::seed: fill(stream_, bound.out[0], scale); return;
    case Step::Kind::zero: fill(stream_, bound.out[0], 0); return;
    case Step::Kind::accumulate: accumulate(stream_, bound.out[0], bound.in[0]); return;
    case Step::Kind::forward:
    case Step::Kind::backward: break;
  }
  const auto node = static_cast<std::uint64_t>(step.node);
  Random random{counter.seed, stream_of(counter.step, node)};
  if (remote_) random.now = remote_->feed.drawn() + node;
  Stream stream = stream_;
  stream.path = paths_[index];
  Run run{stream, bound.in, bound.out, bound.saved, bound.dout, bound.din, bound.workspace, random};
  const Op& op = *plan_->graph().nodes()[node].op;
  step.kind == Step::Kind::forward ? op.forward(run) : op.backward(run);
}

void Executor::run(Counter counter, bool backward, float scale) {
  if (remote_) return run_remote(counter, backward, scale);
  const bool debug = plan_->options().debug_memory;
  const std::size_t count = backward ? bound_.size() : forward_steps_;
  if (debug) begin_watch();
  for (std::size_t i = 0; i < count; ++i) {
    if (debug) watch_before(i);
    const double begun = profiling_ ? seconds_now() : 0;
    execute(i, counter, scale);
    if (profiling_) {
      times_[i].seconds += seconds_now() - begun;
      ++times_[i].runs;
    }
    if (debug) watch_after(i);
  }
}

Feed& Executor::feed() {
  if (!remote_) fail(ErrorCode::argument, "executor: there is no feed on the CPU");
  return remote_->feed;
}

UploadTimes Executor::upload_times() const {
  return remote_ ? remote_->feed.times() : UploadTimes{};
}

void Executor::draw(Counter counter, std::span<Random> randoms) const {
  for (std::size_t node = 0; node < randoms.size(); ++node)
    randoms[node] = {counter.seed, stream_of(counter.step, node)};
}

void Executor::enqueue(bool backward, float scale) {
  const std::size_t count = backward ? bound_.size() : forward_steps_;
  for (std::size_t i = 0; i < count; ++i) {
    if (profiling_) {
      remote_->runtime.record(remote_->events[i], stream_.queue);
      remote_->runtime.begin_range(plan_->steps()[i].label);
    }
    execute(i, {}, scale);
    if (profiling_) remote_->runtime.end_range();
  }
  if (profiling_) remote_->runtime.record(remote_->events[count], stream_.queue);
  remote_->timed = count;
}

void Executor::take_times() {
  for (std::size_t i = 0; profiling_ && i < remote_->timed; ++i) {
    times_[i].seconds += remote_->runtime.seconds(remote_->events[i], remote_->events[i + 1]);
    ++times_[i].runs;
  }
}

void Executor::run_remote(Counter counter, bool backward, float scale) {
  Remote& remote = *remote_;
  draw(counter, remote.feed.randoms(0));
  remote.feed.upload(0);
  remote.feed.take(0);
  const auto work = [&] {
    enqueue(backward, scale);
    for (const Remote::Result& result : remote.results)
      remote.runtime.copy(stream_.queue, result.host.data, result.live.data, result.live.bytes());
  };
  if (backward && remote.scale != scale) remote.whole.forget();
  if (backward) remote.scale = scale;
  if (profiling_)
    work();
  else
    (backward ? remote.whole : remote.forward).run(work);
  remote.runtime.wait(stream_.queue);
  take_times();
}

// A tensor where the host can look at it, until the next call.
Tensor Executor::seen(Tensor tensor) {
  if (!remote_ || !tensor) return tensor;
  remote_->looked_at.resize(tensor.bytes());
  remote_->runtime.copy(stream_.queue, remote_->looked_at.data(), tensor.data, tensor.bytes());
  remote_->runtime.wait(stream_.queue);
  return {remote_->looked_at.data(), tensor.dtype, tensor.shape};
}

std::optional<Fault> Executor::find_fault(Counter counter, bool backward) {
  const auto bad = [this](Tensor tensor) {
    return tensor && !all_finite({.threads = stream_.threads}, seen(tensor));
  };
  const auto describe = [this](const std::string& what, Tensor tensor) {
    return text(what, ' ', tensor.shape, ": ", statistics_of(seen(tensor)));
  };
  if (remote_) {
    draw(counter, remote_->feed.randoms(0));
    remote_->feed.upload(0);
    remote_->feed.take(0);
  }
  for (const auto* entries : {&parameters_.entries(), &parameters_.buffer_entries()})
    for (const Parameters::Entry& entry : *entries)
      if (const Tensor value = parameters_.live(entry.name); bad(value))
        return Fault{"before the step", describe(entry.name, value), {}};
  const std::size_t count = backward ? bound_.size() : forward_steps_;
  for (std::size_t i = 0; i < count; ++i) {
    const Step& step = plan_->steps()[i];
    const Bound& bound = bound_[i];
    // Operations in place overwrite what the message is to describe.
    std::vector<std::string> inputs;
    for (std::size_t k = 0; k < bound.in.size(); ++k)
      if (bound.in[k]) inputs.push_back(describe(text("input ", k), bound.in[k]));
    for (std::size_t k = 0; k < bound.dout.size(); ++k)
      if (bound.dout[k]) inputs.push_back(describe(text("gradient of output ", k), bound.dout[k]));
    execute(i, counter, 1);
    const bool back = step.kind == Step::Kind::backward;
    const std::vector<Tensor>& results = back ? bound.din : bound.out;
    for (std::size_t k = 0; k < results.size(); ++k)
      if (bad(results[k]))
        return Fault{step.label + (back ? ", backward" : ""),
                     describe(text(back ? "gradient of input " : "output ", k), results[k]),
                     inputs};
  }
  return std::nullopt;
}

void Executor::take(std::vector<Path> paths) {
  if (paths.size() != paths_.size())
    fail(ErrorCode::argument, "executor: ", paths.size(), " paths for ", paths_.size(), " steps");
  paths_ = std::move(paths);
  if (!remote_) return;
  remote_->forward.forget();
  remote_->whole.forget();
}

void Executor::profile(bool on) {
  profiling_ = on;
  times_.clear();
  for (const Step& step : plan_->steps()) times_.push_back({.step = &step});
  if (remote_ && on && remote_->events.empty())
    for (std::size_t i = 0; i <= times_.size(); ++i)
      remote_->events.push_back(remote_->runtime.make_event());
}

// The watch over memory: a region's guard is written when its life begins and must stand until it
// ends; a region without life holds nothing but NaN.
void Executor::begin_watch() {
  const auto& regions = plan_->regions();
  std::vector<bool> keep(arena_.bytes(), false);
  for (const Region& region : regions)
    if (region.first < 0) {
      std::fill_n(keep.begin() + static_cast<std::ptrdiff_t>(region.offset),
                  region.bytes - Plan::guard_bytes, true);
    }
  for (Bytes b = 0; b < arena_.bytes(); ++b)
    if (!keep[b]) arena_.data()[b] = std::byte{poison_pattern};
  for (const Region& region : regions)
    if (region.first < 0) write_guard(region);
}

void Executor::write_guard(const Region& region) {
  std::memset(arena_.data() + region.offset + region.bytes - Plan::guard_bytes,
              static_cast<int>(guard_pattern), Plan::guard_bytes);
}

void Executor::watch_before(std::size_t index) {
  for (const Region& region : plan_->regions())
    if (region.first == static_cast<int>(index)) write_guard(region);
}

void Executor::watch_after(std::size_t index) {
  const int now = static_cast<int>(index);
  for (const Region& region : plan_->regions()) {
    if (now < region.first || now > region.last) continue;
    const std::byte* guard = arena_.data() + region.offset + region.bytes - Plan::guard_bytes;
    if (!std::all_of(guard, guard + Plan::guard_bytes,
                     [](std::byte b) { return b == guard_pattern; }))
      fail(ErrorCode::memory, "executor: after ", plan_->steps()[index].label, " the guard behind ",
           region.name, " is overwritten");
  }
  const int last_step = static_cast<int>(plan_->steps().size()) - 1;
  for (const Region& region : plan_->regions())
    if (region.last == now && now < last_step)
      std::memset(arena_.data() + region.offset, poison_pattern, region.bytes);
}

}  // namespace framefold

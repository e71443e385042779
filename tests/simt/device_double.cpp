#include "tests/simt/device_double.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <random>

#include "kernels/device_runtime.h"
#include "tests/simt/machine.h"
#include "tests/simt/memory.h"

namespace simt {
namespace {

using framefold::Bytes;
using framefold::ErrorCode;
using framefold::fail;

struct Event {
  int records = 0;  // asked for
  int happened = 0;
  std::chrono::steady_clock::time_point time;
};

struct Item {
  std::function<void()> work;  // none: an event
  Event* event = nullptr;
  int record = 0;      // of the event
  bool waits = false;  // for the event; else it makes it happen
};

struct Graph {
  std::vector<std::function<void()>> work;
};

struct Queue {
  std::deque<Item> items;
  std::unique_ptr<Graph> capture;
  std::string refusal;  // why the capture cannot be kept
};

std::vector<std::unique_ptr<Queue>> queues;
std::map<std::byte*, Bytes> pinned;
std::map<void*, Bytes> allocated;
std::uint64_t order = 0;
std::mt19937_64 draws;
Forgets forgets = Forgets::nothing;
Refusal captures_are_refused = Refusal::none;
std::size_t device_bytes = 0;
DeviceCounts counts;
std::vector<std::string> ranges;

bool can_run(const Queue& queue) {
  if (queue.items.empty()) return false;
  const Item& head = queue.items.front();
  return !head.waits || head.event->happened >= head.record ||
         forgets == Forgets::waits_between_queues;
}

void run_head(Queue& queue) {
  const Item item = std::move(queue.items.front());
  queue.items.pop_front();
  if (item.work) return item.work();
  if (item.waits) return;
  item.event->happened = std::max(item.event->happened, item.record);
  item.event->time = std::chrono::steady_clock::now();
}

Queue* random_queue() {
  std::vector<Queue*> able;
  for (const auto& queue : queues)
    if (can_run(*queue)) able.push_back(queue.get());
  return able.empty() ? nullptr : able[draws() % able.size()];
}

// The queue whose head brings `queue` on: its own, or that of an event which it waits for.
Queue* needed_by(Queue& queue) {
  if (can_run(queue)) return &queue;
  const Item& head = queue.items.front();
  for (const auto& other : queues)
    for (const Item& item : other->items)
      if (!item.waits && item.event == head.event && item.record >= head.record)
        return other.get() == &queue ? nullptr : needed_by(*other);
  return nullptr;
}

void run_until_empty(Queue& queue) {
  while (!queue.items.empty()) {
    Queue* next = order > 1 ? random_queue() : needed_by(queue);
    if (next == nullptr) throw Error("a queue waits for an event that nobody records");
    run_head(*next);
  }
}

void run_all() {
  for (const auto& queue : queues) run_until_empty(*queue);
}

// Where memory or queues are given back: what breaks a rule there has no caller to tell.
void finish_all() noexcept {
  try {
    run_all();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "the device's double: %s\n", error.what());
    for (const auto& queue : queues) queue->items.clear();
  }
}

void after_push(Queue& queue) {
  if (order == 1) return run_until_empty(queue);
  if (order > 1)
    for (auto steps = draws() % 4; steps > 0; --steps)
      if (Queue* next = random_queue()) run_head(*next);
}

void refuse_while_capturing(const char* call) {
  for (const auto& queue : queues)
    if (queue->capture) {
      queue->refusal = call;
      fail(ErrorCode::unavailable, "the device's double: ", call, " while work is recorded");
    }
}

Queue& queue_of(void* handle) {
  for (const auto& queue : queues)
    if (queue.get() == handle) return *queue;
  throw Error("work enters a queue that does not exist");
}

void push(void* handle, std::function<void()> work) {
  Queue& queue = queue_of(handle);
  if (queue.capture) return queue.capture->work.push_back(std::move(work));
  queue.items.push_back({.work = std::move(work)});
  after_push(queue);
}

bool is_pinned(const void* p, Bytes bytes) {
  const auto* at = static_cast<const std::byte*>(p);
  for (const auto& [data, size] : pinned)
    if (data <= at && at + bytes <= data + size) return true;
  return false;
}

void move_bytes(void* to, const void* from, Bytes bytes) {
  for (const void* p : {static_cast<const void*>(to), from})
    if (device_memory.has(p)) expect_buffer(p, bytes);
  let_kernel_in();
  std::memcpy(to, from, bytes);
  let_kernel_out();
}

class DeviceDouble final : public framefold::DeviceRuntime {
 public:
  using Queue = DeviceRuntime::Queue;
  using Event = DeviceRuntime::Event;
  using Graph = DeviceRuntime::Graph;

  std::string name() const override { return "double of a device"; }
  Memory memory() const override {
    Bytes used = 0;
    for (const auto& [data, bytes] : allocated) used += bytes;
    const Bytes total = device_bytes > 0 ? device_bytes : Bytes{400} << 20;
    return {.free = total - std::min(used, total), .total = total};
  }

  void* allocate(Bytes bytes) override {
    refuse_while_capturing("memory is taken");
    if (bytes > memory().free) return nullptr;
    ++counts.allocations;
    void* data = simt::allocate(bytes);
    allocated[data] = bytes;
    return data;
  }
  void release(void* data) noexcept override {
    finish_all();
    simt::release(data);
    allocated.erase(data);
  }
  void* allocate_pinned(Bytes bytes) override {
    refuse_while_capturing("pinned memory is taken");
    ++counts.allocations;
    auto* data = static_cast<std::byte*>(std::aligned_alloc(256, (bytes + 255) / 256 * 256));
    std::memset(data, 0xFF, bytes);
    pinned[data] = bytes;
    return data;
  }
  void release_pinned(void* data) noexcept override {
    finish_all();
    pinned.erase(static_cast<std::byte*>(data));
    std::free(data);
  }

  void copy(Queue queue, void* to, const void* from, Bytes bytes) override {
    const auto late = [&](const void* p) { return device_memory.has(p) || is_pinned(p, bytes); };
    if (!late(to) || !late(from)) refuse_while_capturing("pageable memory is copied");
    if (late(from)) {
      push(queue, [=] { move_bytes(to, from, bytes); });
    } else {
      const auto* begin = static_cast<const std::byte*>(from);
      push(queue, [=, read = std::vector<std::byte>(begin, begin + bytes)] {
        move_bytes(to, read.data(), bytes);
      });
    }
    if (!late(to)) run_until_empty(queue_of(queue));
  }
  void fill_bytes(Queue queue, void* to, int value, Bytes bytes) override {
    push(queue, [=] {
      expect_buffer(to, bytes);
      let_kernel_in();
      std::memset(to, value, bytes);
      let_kernel_out();
    });
  }

  Queue make_queue() override {
    queues.push_back(std::make_unique<simt::Queue>());
    return queues.back().get();
  }
  void release_queue(Queue queue) noexcept override {
    finish_all();
    std::erase_if(queues, [=](const auto& other) { return other.get() == queue; });
  }
  void wait(Queue queue) override {
    refuse_while_capturing("a queue is waited for");
    run_until_empty(queue_of(queue));
  }

  Event make_event() override { return new simt::Event; }
  void release_event(Event event) noexcept override {
    finish_all();
    delete static_cast<simt::Event*>(event);
  }
  void record(Event event, Queue queue) override { push_event(event, queue, false); }
  void wait(Queue queue, Event event) override { push_event(event, queue, true); }
  void wait_for(Event event) override {
    refuse_while_capturing("an event is waited for");
    const auto* waited = static_cast<simt::Event*>(event);
    if (forgets == Forgets::waits_of_the_host) return;
    while (waited->happened < waited->records)
      for (const auto& queue : queues)
        for (const Item& item : queue->items)
          if (!item.waits && item.event == waited) {
            run_until_past(*queue, *waited);
            break;
          }
  }
  double seconds(Event from, Event to) override {
    const std::chrono::duration<double> passed =
        static_cast<simt::Event*>(to)->time - static_cast<simt::Event*>(from)->time;
    return passed.count();
  }

  void begin_capture(Queue queue) override {
    if (captures_are_refused == Refusal::at_begin)
      fail(ErrorCode::unavailable, "the device's double: recording is refused");
    queue_of(queue).capture = std::make_unique<simt::Graph>();
    queue_of(queue).refusal.clear();
  }
  Graph end_capture(Queue queue) override {
    simt::Queue& captured = queue_of(queue);
    std::unique_ptr<simt::Graph> graph = std::move(captured.capture);
    if (captures_are_refused == Refusal::at_end) captured.refusal = "recording is refused";
    if (!captured.refusal.empty())
      fail(ErrorCode::unavailable, "the device's double: ", captured.refusal);
    ++counts.captures;
    return graph.release();
  }
  void replay(Graph graph, Queue queue) override {
    ++counts.replays;
    for (const auto& work : static_cast<simt::Graph*>(graph)->work) push(queue, work);
  }
  void release_graph(Graph graph) noexcept override { delete static_cast<simt::Graph*>(graph); }

  void begin_range(const std::string& name) override { ranges.push_back(name); }
  void end_range() override {}

 private:
  static void run_until_past(simt::Queue& queue, const simt::Event& event) {
    while (event.happened < event.records && !queue.items.empty()) {
      simt::Queue* next = order > 1 ? random_queue() : needed_by(queue);
      if (next == nullptr) throw Error("the caller waits for an event that nobody reaches");
      run_head(*next);
    }
  }
  static void push_event(Event handle, Queue to, bool waits) {
    simt::Queue& queue = queue_of(to);
    auto* event = static_cast<simt::Event*>(handle);
    if (queue.capture) {
      queue.refusal = "events are used";
      fail(ErrorCode::unavailable, "the device's double: events are used while work is recorded");
    }
    if (!waits) ++event->records;
    queue.items.push_back({.event = event, .record = event->records, .waits = waits});
    after_push(queue);
  }
};

const framefold::OpensDevice opens([](int) -> std::unique_ptr<framefold::DeviceRuntime> {
  return std::make_unique<DeviceDouble>();
});

}  // namespace

void set_queue_order(std::uint64_t wanted) {
  run_all();
  order = wanted;
  draws.seed(wanted);
}

void set_forgets(Forgets what) {
  run_all();
  forgets = what;
}

void refuse_capture(Refusal when) { captures_are_refused = when; }
void set_device_bytes(std::size_t bytes) { device_bytes = bytes; }
const DeviceCounts& device_counts() { return counts; }
const std::vector<std::string>& device_ranges() { return ranges; }

void launch(void* queue, std::string_view kernel, dim3 grid, dim3 block, std::size_t dynamic_bytes,
            std::function<void()> body) {
  expect_launchable(kernel, grid, block, dynamic_bytes);
  if (queue == nullptr) return run_grid(kernel, grid, block, dynamic_bytes, body);
  ++counts.launches;
  push(queue, [=, body = std::move(body)] { run_grid(kernel, grid, block, dynamic_bytes, body); });
}

}  // namespace simt

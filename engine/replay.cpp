#include "engine/replay.h"

namespace framefold {

Replay::Replay(const Stream& stream, bool records)
    : runtime_(&device_runtime(stream.device)), queue_(stream.queue), records_(records) {}

void Replay::forget() {
  if (graph_ != nullptr) runtime_->release_graph(graph_);
  graph_ = nullptr;
  runs_ = 0;
}

bool Replay::begin() {
  try {
    runtime_->begin_capture(queue_);
  } catch (const Error& error) {
    refusal_ = error.what();
    return false;
  }
  return true;
}

void Replay::keep() {
  try {
    graph_ = runtime_->end_capture(queue_);
  } catch (const Error& error) {
    refusal_ = error.what();
  }
}

void Replay::abandon(const Error& error) {
  keep();  // which ends the recording
  forget();
  runs_ = 2;
  refusal_ = error.what();
}

}  // namespace framefold

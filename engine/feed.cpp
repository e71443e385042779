#include "engine/feed.h"

#include <new>

namespace framefold {

Feed::Feed(const Stream& stream, std::vector<Tensor> inputs, std::size_t randoms)
    : runtime_(device_runtime(stream.device)),
      queue_(stream.queue),
      uploads_(runtime_.make_queue()),
      targets_(std::move(inputs)) {
  for (const Tensor& target : targets_) {
    offsets_.push_back(slot_bytes_);
    slot_bytes_ += Buffer::padded(target.bytes());
  }
  const Bytes random_bytes = Buffer::padded(randoms * sizeof(Random));
  offsets_.push_back(slot_bytes_);
  slot_bytes_ += random_bytes;
  host_ = Buffer::pinned(slots * slot_bytes_, stream.device);
  device_ = Buffer(slots * slot_bytes_, stream.device);
  drawn_here_ = Buffer(random_bytes, stream.device);
  drawn_ = reinterpret_cast<Random*>(drawn_here_.data());
  for (std::size_t s = 0; s < slots_.size(); ++s) {
    Slot& slot = slots_[s];
    std::byte* base = host_.data() + s * slot_bytes_;
    for (std::size_t i = 0; i < targets_.size(); ++i)
      slot.inputs.push_back({base + offsets_[i], targets_[i].dtype, targets_[i].shape});
    auto* first = reinterpret_cast<Random*>(base + offsets_.back());
    for (std::size_t i = 0; i < randoms; ++i) new (first + i) Random;
    slot.randoms = {first, randoms};
    slot.begun = runtime_.make_event();
    slot.uploaded = runtime_.make_event();
    slot.taken = runtime_.make_event();
  }
  runtime_.wait(queue_);  // the zeros of the device's memory come before any upload
}

Feed::~Feed() {
  for (const Slot& slot : slots_) {
    runtime_.release_event(slot.begun);
    runtime_.release_event(slot.uploaded);
    runtime_.release_event(slot.taken);
  }
  runtime_.release_queue(uploads_);
}

void Feed::free(int number) {
  Slot& slot = slots_[at(number)];
  runtime_.wait_for(slot.uploaded);
  if (!slot.used) return;
  seconds_ += runtime_.seconds(slot.begun, slot.uploaded);
  ++timed_;
  slot.used = false;
}

void Feed::upload(int slot) {
  const Bytes first = at(slot) * slot_bytes_;
  runtime_.wait(uploads_, slots_[at(slot)].taken);
  runtime_.record(slots_[at(slot)].begun, uploads_);
  runtime_.copy(uploads_, device_.data() + first, host_.data() + first, slot_bytes_);
  runtime_.record(slots_[at(slot)].uploaded, uploads_);
  slots_[at(slot)].used = true;
}

void Feed::take(int slot) {
  const std::byte* base = device_.data() + at(slot) * slot_bytes_;
  runtime_.wait(queue_, slots_[at(slot)].uploaded);
  for (std::size_t i = 0; i < targets_.size(); ++i)
    runtime_.copy(queue_, targets_[i].data, base + offsets_[i], targets_[i].bytes());
  if (!slots_[at(slot)].randoms.empty())
    runtime_.copy(queue_, drawn_, base + offsets_.back(), drawn_here_.bytes());
  runtime_.record(slots_[at(slot)].taken, queue_);
}

}  // namespace framefold

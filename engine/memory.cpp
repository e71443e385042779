#include "engine/memory.h"

#include <sys/mman.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>

#include "kernels/error.h"

namespace framefold {
namespace {
constexpr Bytes page = 4096;
constexpr Bytes huge = Bytes{4} << 20;  // from here on, pages of 2 MiB are asked for

std::atomic<Bytes> held = 0;
}  // namespace

Bytes tensor_memory() { return held; }

std::optional<Bytes> available_memory() {
  std::ifstream file("/proc/meminfo");
  std::string name, unit;
  Bytes kib = 0, sum = 0;
  bool said = false;
  while (file >> name >> kib && std::getline(file, unit)) {
    said |= name == "MemAvailable:";
    if (name == "MemAvailable:" || name == "SwapFree:") sum += kib << 10;
  }
  return said ? std::optional(sum) : std::nullopt;
}

Buffer::Buffer(Bytes bytes, const Device& home) : bytes_(padded(bytes)) {
  if (bytes_ == 0) return;
  if (home.kind == Device::Kind::cuda) {
    take_on(home);
  } else {
    const bool large = bytes_ >= huge;
    void* data = nullptr;
    if (posix_memalign(&data, large ? page : alignment, bytes_) != 0)
      fail(ErrorCode::memory, "the system has no ", (bytes_ >> 20) + 1,
           " MiB for tensors; make train.batch, or the clips, smaller");
    data_ = static_cast<std::byte*>(data);
    if (large) madvise(data_, bytes_, MADV_HUGEPAGE);  // refused where it begins within a page
    std::memset(data_, 0, bytes_);
  }
  held += bytes_;
}

void Buffer::take_on(const Device& device) {
  runtime_ = &device_runtime(device);
  data_ = static_cast<std::byte*>(runtime_->allocate(bytes_));
  if (data_ == nullptr) {
    const DeviceRuntime::Memory memory = runtime_->memory();
    fail(ErrorCode::memory, runtime_->name(), " has ", memory.free, " bytes free of ", memory.total,
         ", ", bytes_, " are needed, ", bytes_ > memory.free ? bytes_ - memory.free : 0,
         " are missing; take a smaller batch");
  }
  runtime_->fill_bytes(main_queue(device), data_, 0, bytes_);
}

Buffer Buffer::pinned(Bytes bytes, const Device& device) {
  Buffer buffer;
  if (bytes == 0) return buffer;
  buffer.runtime_ = &device_runtime(device);
  buffer.pinned_ = true;
  void* data = buffer.runtime_->allocate_pinned(padded(bytes));
  if (data == nullptr)
    fail(ErrorCode::memory, "the system has no ", padded(bytes),
         " bytes of pinned memory; take a smaller batch");
  buffer.data_ = static_cast<std::byte*>(data);
  buffer.bytes_ = padded(bytes);
  std::memset(buffer.data_, 0, buffer.bytes_);
  held += buffer.bytes_;
  return buffer;
}

Buffer::~Buffer() {
  if (data_ == nullptr) return;
  if (runtime_ == nullptr)
    std::free(data_);
  else if (pinned_)
    runtime_->release_pinned(data_);
  else
    runtime_->release(data_);
  held -= bytes_;
}

Mirrored::Mirrored(Bytes bytes, const Device& device) : device_(device), host_(bytes) {
  if (device.kind == Device::Kind::cuda) live_ = Buffer(bytes, device);
}

void Mirrored::upload() const {
  if (live_.bytes() == 0) return;
  DeviceRuntime& runtime = device_runtime(device_);
  runtime.copy(main_queue(device_), live_.data(), host_.data(), live_.bytes());
  runtime.wait(main_queue(device_));
}

void Mirrored::download() const {
  if (live_.bytes() == 0) return;
  DeviceRuntime& runtime = device_runtime(device_);
  runtime.copy(main_queue(device_), host_.data(), live_.data(), live_.bytes());
  runtime.wait(main_queue(device_));
}

}  // namespace framefold

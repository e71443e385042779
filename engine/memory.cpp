#include "engine/memory.h"

#include <sys/mman.h>

#include <atomic>
#include <cstdlib>
#include <cstring>

#include "kernels/error.h"

namespace framefold {
namespace {
std::atomic<Bytes> held = 0;
}  // namespace

Bytes tensor_memory() { return held; }

Buffer::Buffer(Bytes bytes) : bytes_(padded(bytes)) {
  if (bytes_ == 0) return;
  data_ = static_cast<std::byte*>(std::aligned_alloc(alignment, bytes_));
  if (data_ == nullptr)
    fail(ErrorCode::memory, "the system has no ", bytes_,
         " bytes for tensors; take a smaller batch");
  if (bytes_ >= (Bytes{4} << 20)) madvise(data_, bytes_, MADV_HUGEPAGE);
  std::memset(data_, 0, bytes_);
  held += bytes_;
}

Buffer::~Buffer() {
  std::free(data_);
  held -= bytes_;
}

}  // namespace framefold

#include "tests/allocations.h"

#include <atomic>
#include <cerrno>
#include <cstdlib>

namespace framefold::test {
namespace {
std::atomic<std::int64_t> counter = 0;
}  // namespace

std::int64_t allocations() { return counter; }

#if defined(__SANITIZE_ADDRESS__) || !defined(__GLIBC__)

bool counts_allocations() { return false; }

#else

bool counts_allocations() { return true; }

// glibc's own functions under the names that it leaves for those who stand in front of them.
// NOLINTBEGIN(bugprone-reserved-identifier)
extern "C" {
void* __libc_malloc(std::size_t bytes);
void* __libc_calloc(std::size_t count, std::size_t bytes);
void* __libc_realloc(void* old, std::size_t bytes);
void* __libc_memalign(std::size_t alignment, std::size_t bytes);

void* malloc(std::size_t bytes) {
  ++counter;
  return __libc_malloc(bytes);
}
void* calloc(std::size_t count, std::size_t bytes) {
  ++counter;
  return __libc_calloc(count, bytes);
}
void* realloc(void* old, std::size_t bytes) {
  ++counter;
  return __libc_realloc(old, bytes);
}
void* memalign(std::size_t alignment, std::size_t bytes) {
  ++counter;
  return __libc_memalign(alignment, bytes);
}
void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
  ++counter;
  return __libc_memalign(alignment, bytes);
}
int posix_memalign(void** result, std::size_t alignment, std::size_t bytes) {
  ++counter;
  *result = __libc_memalign(alignment, bytes);
  return *result == nullptr ? ENOMEM : 0;
}
}
// NOLINTEND(bugprone-reserved-identifier)

#endif

}  // namespace framefold::test

// Counts what a piece of code takes from the heap, on all threads, in C and C++ alike.
#pragma once

#include <cstdint>

namespace framefold::test {

// Whether this build counts: the address sanitizer has an allocator of its own.
bool counts_allocations();
std::int64_t allocations();  // of this process so far

}  // namespace framefold::test

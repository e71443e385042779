// Independent pieces of slow work, such as files to open, on as many threads as there are cores.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace framefold {

// each(i) for i in [0, count), in no order; threads = 0: one a core. All of them run, then the
// error of the lowest i that failed is thrown.
template <class Each>
void in_parallel(std::size_t count, const Each& each, std::size_t threads = 0) {
  if (count == 0) return;
  if (threads == 0) threads = std::max(1U, std::thread::hardware_concurrency());
  std::atomic<std::size_t> next = 0;
  std::mutex mutex;
  std::exception_ptr error;
  std::size_t failed = count;
  const auto work = [&] {
    for (std::size_t i = next++; i < count; i = next++) try {
        each(i);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (i < failed) {
          failed = i;
          error = std::current_exception();
        }
      }
  };
  {
    std::vector<std::jthread> others(std::min(threads, count) - 1);
    for (std::jthread& other : others) other = std::jthread(work);
    work();
  }
  if (error) std::rethrow_exception(error);
}

}  // namespace framefold

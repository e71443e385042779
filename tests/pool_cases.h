// The windows that both poolings are tested with.
#pragma once

#include <vector>

#include "kernels/pool3d.h"

namespace framefold::test {

struct PoolCase {
  Shape x;
  Pool3d pool;
};

// Windows that meet, overlap, leave gaps, leave a rest; 2-D; padding; one window; many channels,
// and rows for several threads.
inline std::vector<PoolCase> pool_cases() {
  return {
      {{2, 4, 6, 4, 3}, {}},
      {{1, 1, 1, 1, 1}, {.kernel = {1, 1, 1}, .stride = {1, 1, 1}}},
      {{2, 1, 7, 9, 5}, {.kernel = {1, 2, 2}, .stride = {1, 2, 2}}},
      {{2, 1, 7, 8, 17}, {.kernel = {1, 3, 3}, .stride = {1, 2, 2}, .padding = {0, 1, 1}}},
      {{1, 5, 6, 7, 4}, {.kernel = {3, 2, 3}, .stride = {1, 1, 2}, .padding = {1, 1, 0}}},
      {{1, 2, 3, 4, 16}, {.kernel = {2, 2, 2}, .stride = {1, 1, 2}}},
      {{1, 6, 7, 8, 2}, {.kernel = {1, 2, 1}, .stride = {3, 3, 2}}},
      {{3, 2, 3, 4, 2}, {.kernel = {2, 3, 4}, .stride = {1, 1, 1}}},
      {{1, 4, 16, 20, 33}, {.kernel = {2, 2, 2}, .stride = {2, 2, 2}}},
      {{1, 5, 6, 7, 35}, {.kernel = {3, 3, 3}, .stride = {2, 2, 2}, .padding = {1, 1, 1}}},
  };
}

}  // namespace framefold::test

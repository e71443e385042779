// What the engine does to buffers between operations; f32, any size, deterministic.
#pragma once

#include "kernels/stream.h"

namespace framefold {

void fill(const Stream& stream, Tensor y, float value);   // y = value
void accumulate(const Stream& stream, Tensor y, View x);  // y += x
// y = x where verdict [1] is NaN; else y stays
void restore_where_nan(const Stream& stream, View verdict, Tensor y, View x);
bool all_finite(const Stream& stream, View x);  // true for integers; not on a device

// For messages about numbers gone wrong; over the finite values only. One thread.
struct Statistics {
  Index count = 0;
  Index nans = 0;
  Index infinities = 0;
  double minimum = 0;
  double maximum = 0;
  double mean = 0;
  double deviation = 0;
};
Statistics statistics_of(View x);
std::ostream& operator<<(std::ostream& out, const Statistics& statistics);

}  // namespace framefold

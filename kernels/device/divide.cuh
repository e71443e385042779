// Division by a number that the host knows: 64-bit division is a call on a device, around which
// values leave their registers.
#pragma once

#include "kernels/device/gpu.cuh"

namespace framefold::gpu {

// floor(n / by) for 0 <= n < 2^51, by a reciprocal and one correction; exact.
struct Divisor {
  Index by;
  double inverse;

  explicit Divisor(Index number) : by(number), inverse(1 / static_cast<double>(number)) {}

  __device__ __forceinline__ Index operator()(Index n) const {
    const auto quotient = static_cast<Index>(static_cast<double>(n) * inverse);
    const Index rest = n - quotient * by;
    if (rest < 0) return quotient - 1;
    return rest < by ? quotient : quotient + 1;
  }
};

}  // namespace framefold::gpu

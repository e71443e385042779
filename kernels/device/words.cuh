// Bytes moved without being computed with, in the widest words that addresses and steps allow.
#pragma once

#include "kernels/device/pack.cuh"

namespace framefold::gpu {

using Word16 = Pack<std::uint32_t, 4>;

// Calls use(Word{}) with the widest type that divides all of the steps and addresses, at least
// Least.
template <class Least, class Use, class... Steps>
void with_word(Use&& use, Steps... steps) {
  const std::uintptr_t all = (static_cast<std::uintptr_t>(steps) | ...);
  if (all % 16 == 0) return use(Word16{});
  if (all % 4 == 0) return use(std::uint32_t{});
  if (all % 2 == 0) return use(std::uint16_t{});
  if constexpr (sizeof(Least) == 1)
    return use(std::uint8_t{});
  else
    fail(ErrorCode::argument, "a step of ", all, " in a tensor of bf16 or f32");
}

inline std::uintptr_t address(const void* p) { return reinterpret_cast<std::uintptr_t>(p); }

}  // namespace framefold::gpu

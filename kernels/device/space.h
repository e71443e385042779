// The workspace of a vendor's library begins at a multiple of 256 bytes, as cuBLASLt and cuDNN
// demand; pieces of ours at multiples of 64.
#pragma once

#include <cstdint>

#include "kernels/stream.h"

namespace framefold::gpu {

constexpr Bytes space_alignment = 256;

// What take_space() takes of a workspace, at most.
inline Bytes space_bytes(Bytes bytes) {
  return bytes == 0 ? 0 : Workspace::padded(bytes) + space_alignment - Workspace::alignment;
}

inline std::byte* take_space(Workspace& workspace, Bytes bytes) {
  if (bytes == 0) return nullptr;
  const auto begin = reinterpret_cast<std::uintptr_t>(workspace.take<std::byte>(0));
  workspace.take<std::byte>(static_cast<Index>((0 - begin) % space_alignment));
  return workspace.take<std::byte>(static_cast<Index>(bytes));
}

}  // namespace framefold::gpu

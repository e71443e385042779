// What the targets share.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string>

#include "kernels/error.h"
#include "tests/temporary.h"

namespace framefold::fuzz {

inline void require(bool condition) {
  if (!condition) std::abort();
}

// A folder that lives as long as the target runs.
inline const TemporaryDirectory& folder() {
  static const TemporaryDirectory directory;
  return directory;
}

// Files that are wrong may be an Error of these sorts, and nothing else.
template <class Statement>
void only_errors(const Statement& statement) {
  try {
    statement();
  } catch (const Error& error) {
    require(error.code() == ErrorCode::format || error.code() == ErrorCode::file);
  }
}

}  // namespace framefold::fuzz

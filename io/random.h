// Random order and sequences of draws, both from Philox: pure functions of their seeds.
#pragma once

#include <cstdint>

#include "kernels/philox.h"
#include "kernels/tensor.h"

namespace framefold {

// One draw after the other from a stream.
class Draws {
 public:
  explicit Draws(Random random) : random_(random) {}
  double uniform(double low, double high) {
    return low + (high - low) * static_cast<double>(random_.uniform(next_++));
  }
  Index below(Index bound) { return random_.below(next_++, static_cast<std::uint32_t>(bound)); }

 private:
  Random random_;
  std::uint64_t next_ = 0;
};

// A random permutation of 0 .. size-1 that needs no memory: a Feistel network over the next power
// of four, walked until the result lies inside (Black and Rogaway 2002). Four rounds mix long
// halves well; short ones take more. The rounds make even permutations only, hence a coin that
// swaps the first two positions.
class Permutation {
 public:
  Permutation(Index size, Random random)
      : size_(size), random_(random), coin_(random.block(~std::uint64_t{0})[0] & 1) {
    while ((Index{1} << (2 * bits_)) < size_) ++bits_;
  }
  Index operator()(Index position) const {
    do position = rounds(position);
    while (position >= size_);
    return position;
  }

 private:
  Index rounds(Index position) const {
    if (position < 2) position ^= coin_;
    const std::uint64_t mask = (std::uint64_t{1} << bits_) - 1;
    std::uint64_t left = static_cast<std::uint64_t>(position) >> bits_;
    std::uint64_t right = static_cast<std::uint64_t>(position) & mask;
    for (std::uint64_t round = 0; round < 4 + 24 / bits_; ++round) {
      const std::uint64_t mixed = left ^ (random_.block(round << 32 | right)[0] & mask);
      left = right;
      right = mixed;
    }
    return static_cast<Index>(left << bits_ | right);
  }

  Index size_;
  Random random_;
  Index coin_;
  std::uint64_t bits_ = 1;  // of each half
};

}  // namespace framefold

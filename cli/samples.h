// Pictures of held-out clips beside their reconstructions.
#pragma once

#include <string>
#include <vector>

#include "io/picture.h"

namespace framefold {

// Gathers the first clips of an evaluation.
class Samples {
 public:
  // Of clips `shape` [T, H, W, C]: single images show more of them than clips do.
  explicit Samples(const Shape& shape);

  bool full() const { return count_ == most_; }
  void add(const std::uint8_t* clip, const float* reconstruction);
  void clear();
  Index count() const { return count_; }

  // Rows original, reconstruction and error; of clips two, below each other.
  Picture strip() const;
  // The clips in motion, beside each other; none for single images.
  std::vector<Picture> animation() const;

  static constexpr double frames_per_second = 8;

 private:
  Shape shape_;
  Index most_, count_ = 0;
  std::vector<std::uint8_t> clips_;
  std::vector<float> made_;
};

}  // namespace framefold

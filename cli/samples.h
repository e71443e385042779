// Pictures of held-out clips beside their reconstructions.
#pragma once

#include <string>
#include <vector>

#include "io/draw.h"
#include "io/picture.h"

namespace framefold {

// Gathers the first clips of an evaluation.
class Samples {
 public:
  // Of clips `shape` [T, H, W, C]: single images show more of them than clips do.
  explicit Samples(const Shape& shape);

  bool full() const { return count_ == most_; }
  // `seen`: of every clip or of none, always of one type.
  void add(const std::uint8_t* clip, const float* reconstruction, const Seen& seen);
  void clear();
  Index count() const { return count_; }

  // Rows original, what was fed, reconstruction and error; of clips two, below each other.
  Picture strip() const;
  // The clips in motion, beside each other; none for single images.
  std::vector<Picture> animation() const;

  static constexpr double frames_per_second = 8;

 private:
  Shape shape_;
  Index most_, count_ = 0;
  Seen seen(Index first, const Shape& shape) const;

  std::vector<std::uint8_t> clips_, seen_;
  DType seen_type_ = DType::u8;
  std::string seen_label_;
  std::vector<float> made_;
};

}  // namespace framefold

#include "cli/samples.h"

#include <algorithm>

namespace framefold {
namespace {

constexpr Index gap = 16;         // between clips
constexpr Index most_strips = 2;  // more would only be scrolled past

// Pictures of one size below or beside each other.
Picture join(const std::vector<Picture>& pieces, bool below) {
  const Picture& first = pieces.front();
  const auto count = static_cast<Index>(pieces.size());
  const Index dx = below ? 0 : first.width + gap, dy = below ? first.height + gap : 0;
  Picture all(first.width + (count - 1) * dx, first.height + (count - 1) * dy, 3, 255);
  for (Index i = 0; i < count; ++i) paste(all, pieces[static_cast<std::size_t>(i)], i * dx, i * dy);
  return all;
}

}  // namespace

Samples::Samples(const Shape& shape) : shape_(shape), most_(shape[0] == 1 ? 8 : 3) {}

void Samples::add(const std::uint8_t* clip, const float* reconstruction, const Seen& seen) {
  if (full()) return;
  if (const auto* bytes = static_cast<const std::uint8_t*>(seen.clip.data); bytes != nullptr) {
    seen_.insert(seen_.end(), bytes, bytes + seen.clip.bytes());
    seen_type_ = seen.clip.dtype;
    seen_label_ = seen.label;
  }
  clips_.insert(clips_.end(), clip, clip + shape_.size());
  made_.insert(made_.end(), reconstruction, reconstruction + shape_.size());
  ++count_;
}

void Samples::clear() {
  clips_.clear();
  seen_.clear();
  made_.clear();
  count_ = 0;
}

// What was seen of the clips from `first` on, as `shape` views them.
Seen Samples::seen(Index first, const Shape& shape) const {
  if (seen_.empty()) return {};
  const Bytes clip = TensorType{seen_type_, shape_}.bytes();
  return {{seen_.data() + static_cast<Bytes>(first) * clip, seen_type_, shape}, seen_label_};
}

Picture Samples::strip() const {
  const View clips{clips_.data(), DType::u8, shape_}, made{made_.data(), DType::f32, shape_};
  if (shape_[0] == 1) {
    const Shape batch{count_, shape_[1], shape_[2], shape_[3]};
    return draw_strip({clips.data, clips.dtype, batch}, {made.data, made.dtype, batch},
                      seen(0, batch));
  }
  std::vector<Picture> strips;
  for (Index i = 0; i < std::min(count_, most_strips); ++i)
    strips.push_back(draw_strip({clips.as<std::uint8_t>() + i * shape_.size(), DType::u8, shape_},
                                {made.as<float>() + i * shape_.size(), DType::f32, shape_},
                                seen(i, shape_)));
  return join(strips, true);
}

std::vector<Picture> Samples::animation() const {
  std::vector<std::vector<Picture>> clips;
  for (Index i = 0; i < count_ && shape_[0] > 1; ++i)
    clips.push_back(draw_animation({clips_.data() + i * shape_.size(), DType::u8, shape_},
                                   {made_.data() + i * shape_.size(), DType::f32, shape_},
                                   seen(i, shape_)));
  std::vector<Picture> frames;
  for (std::size_t t = 0; !clips.empty() && t < clips.front().size(); ++t) {
    std::vector<Picture> pieces;
    for (const auto& clip : clips) pieces.push_back(clip[t]);
    frames.push_back(join(pieces, false));
  }
  return frames;
}

}  // namespace framefold

#include "io/moving_digits.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "io/random.h"
#include "kernels/error.h"

namespace framefold {
namespace {

constexpr std::uint64_t clip_stream = 0x6d6f76696e67;

class Moving final : public Dataset {
 public:
  // Clips [first, first + size) of the seed.
  Moving(std::shared_ptr<const Dataset> pictures, const MovingDigits& options, Index first,
         Index size)
      : pictures_(std::move(pictures)), options_(options), first_(first), size_(size) {}

  Index size() const override { return size_; }
  Shape shape() const override { return {options_.frames, options_.height, options_.width, 1}; }
  std::string name(Index index) const override {
    return text("moving digits clip ", first_ + index);
  }
  std::string description() const override {
    return text(size_, " clips of ", options_.digits,
                " moving pictures: ", pictures_->description());
  }

 private:
  void do_read(Index index, Random, Tensor clip) const override;

  std::shared_ptr<const Dataset> pictures_;
  MovingDigits options_;
  Index first_, size_;
};

void Moving::do_read(Index index, Random, Tensor clip) const {
  thread_local std::vector<std::uint8_t> picture;  // kept: reading allocates nothing
  const Shape shape = pictures_->shape();
  picture.resize(static_cast<std::size_t>(shape.size()));
  const Index h = shape[1], w = shape[2];
  const auto room_y = static_cast<double>(options_.height - h);
  const auto room_x = static_cast<double>(options_.width - w);

  auto* pixels = clip.as<std::uint8_t>();
  std::fill(pixels, pixels + clip.size(), std::uint8_t{0});
  Draws draws({options_.seed, stream_of(clip_stream, static_cast<std::uint64_t>(first_ + index))});
  for (Index digit = 0; digit < options_.digits; ++digit) {
    pictures_->read(draws.below(pictures_->size()), {}, {picture.data(), DType::u8, shape});
    const double x = draws.uniform(0, room_x), y = draws.uniform(0, room_y);
    const double angle = draws.uniform(0, 2 * 3.14159265358979323846);
    const double vx = options_.speed * std::cos(angle), vy = options_.speed * std::sin(angle);
    for (Index t = 0; t < options_.frames; ++t) {
      const auto left = static_cast<Index>(bounce(x, vx, t, room_x));
      const auto top = static_cast<Index>(bounce(y, vy, t, room_y));
      for (Index row = 0; row < h; ++row) {
        std::uint8_t* out = pixels + ((t * options_.height + top + row) * options_.width + left);
        const std::uint8_t* in = picture.data() + row * w;
        for (Index i = 0; i < w; ++i) out[i] = std::max(out[i], in[i]);
      }
    }
  }
}

}  // namespace

double bounce(double start, double velocity, Index frame, double room) {
  if (room <= 0) return 0;
  const double unfolded = start + velocity * static_cast<double>(frame);
  const double once = std::fmod(unfolded, 2 * room);  // there and back
  const double wrapped = once < 0 ? once + 2 * room : once;
  return wrapped <= room ? wrapped : 2 * room - wrapped;
}

Split moving_digits(const Split& pictures, const MovingDigits& options) {
  const auto& train = pictures.train ? pictures.train : pictures.held_out;
  const auto& held_out = pictures.held_out ? pictures.held_out : pictures.train;
  if (!train) fail(ErrorCode::argument, "moving digits: there are no pictures to move");
  const Shape picture = train->shape();
  if (picture.rank() != 4 || picture[0] != 1 || picture[3] != 1 || picture[1] > options.height ||
      picture[2] > options.width)
    fail(ErrorCode::shape, "moving digits: the pictures are ", picture, ", expected [1, h, w, 1] ",
         "with h at most ", options.height, " and w at most ", options.width,
         "; make the frames larger");
  if (options.frames < 1 || options.digits < 0 || options.clips < 1 || !(options.speed >= 0))
    fail(ErrorCode::argument, "moving digits: frames ", options.frames, ", digits ", options.digits,
         ", clips ", options.clips, ", speed ", options.speed, "; expected at least 1, 0, 1 and 0");
  const Index held = held_out_of(options.clips, options.held_out), kept = options.clips - held;
  Split parts;
  if (kept > 0) parts.train = std::make_shared<Moving>(train, options, 0, kept);
  if (held > 0) parts.held_out = std::make_shared<Moving>(held_out, options, kept, held);
  return parts;
}

}  // namespace framefold

#include "io/moving_digits.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "io/random.h"
#include "kernels/error.h"

namespace framefold {
namespace {

constexpr std::uint64_t clip_stream = 0x6d6f76696e67, class_stream = 0x646972656374;

struct Direction {
  const char* name;
  double x, y;
};
constexpr std::array directions = {Direction{"up", 0, -1}, Direction{"down", 0, 1},
                                   Direction{"left", -1, 0}, Direction{"right", 1, 0}};

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
  Index label(Index index) const override {
    if (!options_.directions) return -1;
    const auto clip = static_cast<std::uint64_t>(first_ + index);
    return Random{options_.seed, stream_of(class_stream, clip)}.below(0, directions.size());
  }
  std::vector<std::string> classes() const override {
    std::vector<std::string> names;
    for (const Direction& direction : directions)
      if (options_.directions) names.emplace_back(direction.name);
    return names;
  }

 private:
  void do_read(Index index, Random, Tensor clip) const override;
  void draw_across(Draws& draws, const Direction& direction, const std::uint8_t* picture,
                   Tensor clip) const;

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
    if (options_.directions) {
      draw_across(draws, directions[static_cast<std::size_t>(label(index))], picture.data(), clip);
      continue;
    }
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

// Pixels that pass an edge come in at the opposite one.
void Moving::draw_across(Draws& draws, const Direction& direction, const std::uint8_t* picture,
                         Tensor clip) const {
  const Index height = options_.height, width = options_.width;
  const Index h = pictures_->shape()[1], w = pictures_->shape()[2];
  const double x = draws.uniform(0, static_cast<double>(width));
  const double y = draws.uniform(0, static_cast<double>(height));
  const auto place = [this](double start, double way, Index frame, Index room) {
    const double at = start + options_.speed * way * static_cast<double>(frame);
    const auto pixel = static_cast<Index>(std::floor(at)) % room;
    return pixel < 0 ? pixel + room : pixel;
  };
  for (Index t = 0; t < options_.frames; ++t) {
    const Index left = place(x, direction.x, t, width), top = place(y, direction.y, t, height);
    std::uint8_t* frame = clip.as<std::uint8_t>() + t * height * width;
    for (Index row = 0; row < h; ++row)
      for (Index i = 0; i < w; ++i) {
        std::uint8_t& out = frame[(top + row) % height * width + (left + i) % width];
        out = std::max(out, picture[row * w + i]);
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

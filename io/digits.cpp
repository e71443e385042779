#include "io/digits.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "io/plugin.h"
#include "io/random.h"
#include "kernels/error.h"

namespace framefold {
namespace {

constexpr int side = 28;
constexpr std::uint64_t picture_stream = 0x6469676974;

// Strokes on a grid 0..6 wide, 0..9 high: points as pairs of figures, strokes apart by a blank.
constexpr std::array<std::string_view, 10> glyphs = {
    "3051636658391806031130",   "123039",      "0211305162540969",
    "112030516254345567583918", "400666 4049", "60100433546658391807",
    "502104061839586655341506", "006029",      "30515334131130 345567583918071534",
    "194865635130110314355463"};

struct Point {
  double x, y;
};

double squared_distance(Point p, Point a, Point b) {
  const Point ab{b.x - a.x, b.y - a.y}, ap{p.x - a.x, p.y - a.y};
  const double along = (ap.x * ab.x + ap.y * ab.y) / (ab.x * ab.x + ab.y * ab.y);
  const double t = std::clamp(along, 0.0, 1.0);
  const Point off{ap.x - t * ab.x, ap.y - t * ab.y};
  return off.x * off.x + off.y * off.y;
}

class Drawn final : public Dataset {
 public:
  explicit Drawn(const DrawnDigits& options) : options_(options) {
    if (options.count < 1)
      fail(ErrorCode::argument, "drawn digits: ", options.count, " were asked for");
    fonts_ = reinterpret_cast<DrawDigit*>(
        open_plugin("libframefold_fonts.so", "framefold_draw_digit").symbol);
  }

  Index size() const override { return options_.count; }
  Shape shape() const override { return {1, side, side, 1}; }
  std::string name(Index index) const override { return text("drawn digit ", index); }
  std::string description() const override {
    return text("digits drawn in ", fonts_ != nullptr ? "OpenCV's fonts" : "strokes");
  }

 private:
  void do_read(Index index, Random, Tensor clip) const override {
    const std::uint64_t stream = stream_of(picture_stream, static_cast<std::uint64_t>(index));
    auto* pixels = clip.as<std::uint8_t>();
    if (fonts_ != nullptr)
      fonts_(options_.seed, stream, pixels);
    else
      draw_digit_in_strokes({options_.seed, stream}, pixels);
  }

  DrawnDigits options_;
  DrawDigit* fonts_;
};

}  // namespace

void draw_digit_in_strokes(Random random, std::uint8_t* pixels) {
  Draws draws(random);
  const std::string_view glyph = glyphs[static_cast<std::size_t>(draws.below(10))];
  const double height = draws.uniform(15, 20), width = height * draws.uniform(0.5, 0.7);
  const double slant = draws.uniform(-0.15, 0.3), radius = draws.uniform(0.8, 1.8);
  const Point centre{13.5 + draws.uniform(-1.5, 1.5), 13.5 + draws.uniform(-1.5, 1.5)};
  const auto place = [&](std::size_t at) {
    const double x = (glyph[at] - '0') / 6.0 - 0.5, y = (glyph[at + 1] - '0') / 9.0 - 0.5;
    return Point{centre.x + x * width - slant * y * height, centre.y + y * height};
  };
  std::array<std::pair<Point, Point>, 16> lines;
  std::size_t count = 0;
  for (std::size_t at = 0; at + 3 < glyph.size();
       at += at + 4 < glyph.size() && glyph[at + 4] == ' ' ? 5 : 2)
    lines[count++] = {place(at), place(at + 2)};
  for (int i = 0; i < side * side; ++i) {
    const int row = i / side;
    const Point pixel{static_cast<double>(i % side), static_cast<double>(row)};
    double nearest = side * side;
    for (std::size_t line = 0; line < count; ++line)
      nearest = std::min(nearest, squared_distance(pixel, lines[line].first, lines[line].second));
    pixels[i] =
        static_cast<std::uint8_t>(255 * std::clamp(radius + 0.5 - std::sqrt(nearest), 0.0, 1.0));
  }
}

Split drawn_digits(const DrawnDigits& options) {
  return split(std::make_shared<Drawn>(options), options.held_out);
}

}  // namespace framefold

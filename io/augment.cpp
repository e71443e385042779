#include "io/augment.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "io/augment_parts.h"
#include "kernels/error.h"

namespace framefold {
namespace {

using Crop = Augmentation::Crop;

constexpr double degree = 3.14159265358979323846 / 180;

// Streams of their own below a sample's, and what has probability or share as its number.
enum class Part : std::uint8_t {
  crop,
  flip,
  affine,
  colour,
  rand,
  blur,
  erase,
  mask,
  gaussian,
  poisson,
  walk,
  salt
};

Random of(Random random, Part part) {
  return {random.seed,
          stream_of(random.stream, 0x6175676d656e74, static_cast<std::uint64_t>(part))};
}

Box multi_scale(Index h, Index w, const Box& most, Draws draws) {
  constexpr std::array scales = {1.0, 0.875, 0.75, 0.66};
  std::array<std::pair<Index, Index>, 10> sizes{};  // 4 alike, 6 one step apart
  std::size_t count = 0;
  const auto side = [&](Index whole, std::size_t scale) {
    return std::max<Index>(1, static_cast<Index>(static_cast<double>(whole) * scales[scale]));
  };
  for (std::size_t i = 0; i < scales.size(); ++i)
    for (std::size_t j = i > 0 ? i - 1 : 0; j < std::min(i + 2, scales.size()); ++j)
      sizes[count++] = {side(most.height, i), side(most.width, j)};
  const auto [height, width] = sizes[static_cast<std::size_t>(draws.below(10))];
  // In quarters of the room: corners, middles of the sides, the middle, and between it and corners.
  constexpr std::array<std::pair<int, int>, 13> places = {{{0, 0},
                                                           {0, 4},
                                                           {4, 0},
                                                           {4, 4},
                                                           {2, 2},
                                                           {2, 0},
                                                           {2, 4},
                                                           {4, 2},
                                                           {0, 2},
                                                           {1, 1},
                                                           {1, 3},
                                                           {3, 1},
                                                           {3, 3}}};
  const auto [y, x] = places[static_cast<std::size_t>(draws.below(13))];
  return {y * ((h - height) / 4), x * ((w - width) / 4), height, width};
}

Box resized(Index h, Index w, const Box& most, Index height, Index width,
            const Augmentation& options, Draws draws) {
  const double wanted = static_cast<double>(width) / static_cast<double>(height);
  for (int attempt = 0; attempt < 10; ++attempt) {
    const double area = draws.uniform(options.scale_low, options.scale_high) *
                        static_cast<double>(h) * static_cast<double>(w);
    const double aspect = wanted * std::exp(draws.uniform(std::log(options.aspect_low),
                                                          std::log(options.aspect_high)));
    const Index boxed_h = std::llround(std::sqrt(area / aspect));
    const Index boxed_w = std::llround(std::sqrt(area * aspect));
    if (boxed_h < 1 || boxed_w < 1 || boxed_h > h || boxed_w > w) continue;
    const Index y = draws.below(h - boxed_h + 1);
    return {y, draws.below(w - boxed_w + 1), boxed_h, boxed_w};
  }
  return most;
}

// Counts k of a Poisson variable of each brightness: entry k is 2^32 P(count <= k).
std::vector<std::vector<std::uint32_t>> poisson_tables(double photons) {
  std::vector<std::vector<std::uint32_t>> tables(256);
  for (std::size_t value = 0; value < 256; ++value) {
    const double mean = photons * static_cast<double>(value) / 255;
    double passed = 0;
    for (double count = 0;; ++count) {
      passed += std::exp(count * (mean > 0 ? std::log(mean) : 0) - mean - std::lgamma(count + 1));
      if (mean == 0 || passed * 0x1p32 >= 0x1p32 - 1 || count > mean + 20 * std::sqrt(mean) + 20)
        break;
      tables[value].push_back(static_cast<std::uint32_t>(passed * 0x1p32));
    }
  }
  return tables;
}

void poisson(Tensor clip, double photons, const std::vector<std::vector<std::uint32_t>>& tables,
             Random random) {
  auto* values = clip.as<std::uint8_t>();
  for (Index i = 0; i < clip.size(); ++i) {
    const auto& table = tables[values[i]];
    const std::uint32_t drawn = random.word(static_cast<std::uint64_t>(i));
    const auto count = std::upper_bound(table.begin(), table.end(), drawn) - table.begin();
    values[i] = static_cast<std::uint8_t>(
        std::min(255.0, std::floor(static_cast<double>(count) * 255 / photons + 0.5)));
  }
}

void check(const char* name, double value, double low, double high) {
  if (!(value >= low && value <= high))
    fail(ErrorCode::argument, "augment.", name, " is ", value, ", expected ", low, " to ", high);
}

augment::Affine drawn_affine(const Augmentation& options, const Shape& shape, Draws draws) {
  const double angle = draws.uniform(-options.rotate, options.rotate) * degree;
  const double slant = std::tan(draws.uniform(-options.shear, options.shear) * degree);
  const double factor = draws.uniform(1 - options.zoom, 1 + options.zoom);
  const double x = draws.uniform(-options.shift, options.shift) * static_cast<double>(shape[2]);
  const double y = draws.uniform(-options.shift, options.shift) * static_cast<double>(shape[1]);
  // From output to source: shift back, zoom back, slant, turn.
  const double c = std::cos(angle) / factor, s = std::sin(angle) / factor;
  augment::Affine map{.xx = c, .xy = c * slant - s, .yx = s, .yy = s * slant + c};
  map.x0 = -(map.xx * x + map.xy * y);
  map.y0 = -(map.yx * x + map.yy * y);
  return map;
}

class Augmented final : public Dataset {
 public:
  Augmented(std::shared_ptr<const Dataset> dataset, const Augmentation& options, Index height,
            Index width)
      : dataset_(std::move(dataset)),
        augmenter_(options),
        source_(dataset_->shape()),
        shape_{source_[0], height, width, source_[3]} {}
  Index size() const override { return dataset_->size(); }
  Shape shape() const override { return shape_; }
  std::string name(Index index) const override { return dataset_->name(index); }
  Index label(Index index) const override { return dataset_->label(index); }
  std::vector<std::string> classes() const override { return dataset_->classes(); }
  Moment moment(Index index, Random random) const override {
    return dataset_->moment(index, random);
  }
  std::shared_ptr<const Dataset> plain() const override { return dataset_; }
  double rate(Index index) const override { return dataset_->rate(index); }
  std::string description() const override { return dataset_->description() + ", augmented"; }

 private:
  void do_read(Index index, Random random, Tensor clip) const override {
    thread_local std::vector<std::uint8_t> pixels;  // kept: reading allocates little
    pixels.resize(static_cast<std::size_t>(source_.size()));
    dataset_->read(index, random, {pixels.data(), DType::u8, source_});
    augmenter_.apply({pixels.data(), DType::u8, source_}, random, clip);
  }

  std::shared_ptr<const Dataset> dataset_;
  Augmenter augmenter_;
  Shape source_, shape_;
};

}  // namespace

Augmentation::Crop crop_kind(std::string_view name) {
  if (name == "none") return Crop::none;
  if (name == "multi-scale") return Crop::multi_scale;
  if (name == "resized") return Crop::resized;
  fail(ErrorCode::argument, "there is no crop \"", name,
       "\"; expected none, multi-scale or resized");
}

bool changes(const Augmentation& a) {
  const std::array strengths = {a.flip,       a.rotate,   a.shear,      a.zoom,    a.shift,
                                a.brightness, a.contrast, a.saturation, a.hue,     a.blur,
                                a.erase,      a.gaussian, a.walk,       a.poisson, a.salt};
  return a.crop != Crop::none || a.rand_ops > 0 || a.masks > 0 ||
         std::any_of(strengths.begin(), strengths.end(), [](double x) { return x > 0; });
}

Augmenter::Augmenter(const Augmentation& options) : options_(options) {
  check("scale_low", options.scale_low, 1e-6, options.scale_high);
  check("scale_high", options.scale_high, options.scale_low, 1);
  check("aspect_low", options.aspect_low, 1e-3, options.aspect_high);
  check("aspect_high", options.aspect_high, options.aspect_low, 1e3);
  check("flip", options.flip, 0, 1);
  check("rotate", options.rotate, 0, 180);
  check("shear", options.shear, 0, 60);
  check("zoom", options.zoom, 0, 0.9);
  check("shift", options.shift, 0, 1);
  check("brightness", options.brightness, 0, 1);
  check("contrast", options.contrast, 0, 1);
  check("saturation", options.saturation, 0, 1);
  check("hue", options.hue, 0, 0.5);
  check("rand_ops", static_cast<double>(options.rand_ops), 0, 15);
  check("rand_magnitude", options.rand_magnitude, 0, 10);
  check("rand_deviation", options.rand_deviation, 0, 10);
  check("blur", options.blur, 0, 32);
  check("erase", options.erase, 0, 1);
  check("erase_low", options.erase_low, 0, options.erase_high);
  check("erase_high", options.erase_high, options.erase_low, 1);
  check("masks", static_cast<double>(options.masks), 0, 1000);
  check("mask_side", options.mask_side, 0, 1);
  check("gaussian", options.gaussian, 0, 1);
  check("walk", options.walk, 0, 1);
  check("poisson", options.poisson, 0, 10000);
  check("salt", options.salt, 0, 1);
  if (options.poisson > 0) poisson_ = poisson_tables(options.poisson);
}

Box Augmenter::crop(Index h, Index w, Index height, Index width, Random random) const {
  const Box most = crop_of(h, w, height, width, 0, 1);
  const Draws draws(of(random, Part::crop));
  if (options_.crop == Crop::multi_scale) return multi_scale(h, w, most, draws);
  if (options_.crop == Crop::resized) return resized(h, w, most, height, width, options_, draws);
  return most;
}

void Augmenter::apply(View source, Random random, Tensor clip, bool cropped) const {
  const Augmentation& o = options_;
  const Shape& from = source.shape;
  const Shape& to = clip.shape;
  if (source.dtype != DType::u8 || clip.dtype != DType::u8 || from.rank() != 4 || to.rank() != 4 ||
      from[0] != to[0] || from[3] != to[3] || source.size() == 0 || clip.size() == 0)
    fail(ErrorCode::shape, "augment: ", source.type(), " to ", clip.type(),
         ", expected u8 [T, h, w, C] to u8 [T, H, W, C]");
  const Box whole{0, 0, from[1], from[2]};
  if (source.data != clip.data)
    augment::resize(source, cropped ? whole : crop(from[1], from[2], to[1], to[2], random), clip);
  const auto chance = [&](Part part) { return static_cast<double>(of(random, part).uniform(0)); };
  const auto rest = [&](Part part) {  // of a part that has taken its chance
    const Random own = of(random, part);
    return Random{own.seed, stream_of(own.stream)};
  };
  if (o.flip > 0 && chance(Part::flip) < o.flip) augment::flip(clip);
  if (o.rotate > 0 || o.shear > 0 || o.zoom > 0 || o.shift > 0)
    augment::warp(clip, drawn_affine(o, to, Draws(of(random, Part::affine))), augment::hold);
  Draws colour(of(random, Part::colour));
  const auto factor = [&](double strength) { return colour.uniform(1 - strength, 1 + strength); };
  // Each draws whether it is wanted or not: none depends on the others' strengths.
  const double bright = factor(o.brightness), contrasting = factor(o.contrast);
  const double saturated = factor(o.saturation), turn = colour.uniform(-o.hue, o.hue);
  if (o.brightness > 0) augment::brightness(clip, bright);
  if (o.contrast > 0) augment::contrast(clip, contrasting);
  if (o.saturation > 0) augment::saturation(clip, saturated);
  if (o.hue > 0) augment::hue(clip, turn);
  if (o.rand_ops > 0)
    augment::rand_augment(clip, o.rand_ops, o.rand_magnitude, o.rand_deviation,
                          of(random, Part::rand));
  if (const double sigma = o.blur * chance(Part::blur); sigma > 0.05) augment::blur(clip, sigma);
  if (o.erase > 0 && chance(Part::erase) < o.erase)
    augment::erase(clip, o.erase_low, o.erase_high, rest(Part::erase));
  if (o.masks > 0) augment::masks(clip, o.masks, o.mask_side, of(random, Part::mask));
  if (o.gaussian > 0) augment::gaussian(clip, o.gaussian, of(random, Part::gaussian));
  if (o.poisson > 0) poisson(clip, o.poisson, poisson_, of(random, Part::poisson));
  if (o.walk > 0) augment::walk(clip, o.walk, of(random, Part::walk));
  if (o.salt > 0) augment::salt(clip, o.salt, of(random, Part::salt));
}

std::shared_ptr<const Dataset> augmented(std::shared_ptr<const Dataset> dataset,
                                         const Augmentation& options, Index height, Index width) {
  return std::make_shared<Augmented>(std::move(dataset), options, height, width);
}

}  // namespace framefold

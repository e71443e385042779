#include "cli/masked.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

namespace framefold {
namespace {

// Calls each(pixel) for the numbers of tubelet (t, h, w), pixel by pixel; `pixel` is the first
// channel's place.
template <class Each>
void for_pixels(const Shape& shape, const Extents& tubelet, Index t, Index h, Index w,
                Each&& each) {
  for (Index a = 0; a < tubelet[0]; ++a)
    for (Index b = 0; b < tubelet[1]; ++b)
      for (Index c = 0; c < tubelet[2]; ++c)
        each((((t * tubelet[0] + a) * shape[1] + h * tubelet[1] + b) * shape[2] + w * tubelet[2] +
              c) *
             shape[3]);
}

struct Grid {
  Index t, h, w;
  Grid(const Shape& shape, const Extents& tubelet)
      : t(shape[0] / tubelet[0]), h(shape[1] / tubelet[1]), w(shape[2] / tubelet[2]) {}
  std::size_t at(Index i, Index j, Index k) const {
    return static_cast<std::size_t>((i * h + j) * w + k);
  }
  template <class Each>
  void for_all(Each&& each) const {
    for (Index i = 0; i < t; ++i)
      for (Index j = 0; j < h; ++j)
        for (Index k = 0; k < w; ++k) each(i, j, k);
  }
};

using Colour3 = std::array<double, 3>;

}  // namespace

std::vector<bool> hidden_tubelets(const std::uint8_t* clip, const float* masked, const Shape& shape,
                                  const Extents& tubelet) {
  const Grid grid(shape, tubelet);
  std::vector<bool> hidden(grid.at(grid.t - 1, grid.h - 1, grid.w - 1) + 1);
  grid.for_all([&](Index t, Index h, Index w) {
    bool same = true;
    for_pixels(shape, tubelet, t, h, w, [&](Index pixel) {
      for (Index c = 0; c < shape[3]; ++c)
        same =
            same && std::abs(masked[pixel + c] - static_cast<float>(clip[pixel + c]) / 255) < 1e-4F;
    });
    hidden[grid.at(t, h, w)] = !same;
  });
  return hidden;
}

std::vector<float> guess_hidden(const std::uint8_t* clip, const std::vector<bool>& hidden,
                                const Shape& shape, const Extents& tubelet) {
  const Grid grid(shape, tubelet);
  const Index channels = shape[3];
  const auto per_tubelet = static_cast<double>(tubelet[0] * tubelet[1] * tubelet[2]);
  std::vector<Colour3> means(hidden.size());
  Colour3 all{};
  double visible = 0;
  std::vector<float> guess(static_cast<std::size_t>(shape.size()));
  std::ranges::transform(std::span(clip, guess.size()), guess.begin(),
                         [](std::uint8_t p) { return static_cast<float>(p) / 255; });
  grid.for_all([&](Index t, Index h, Index w) {
    if (hidden[grid.at(t, h, w)]) return;
    Colour3& mean = means[grid.at(t, h, w)];
    for_pixels(shape, tubelet, t, h, w, [&](Index pixel) {
      for (Index c = 0; c < channels; ++c)
        mean[static_cast<std::size_t>(c)] += clip[pixel + c] / (255.0 * per_tubelet);
    });
    for (std::size_t c = 0; c < 3; ++c) all[c] += mean[c];
    ++visible;
  });
  for (double& mean : all) mean = visible > 0 ? mean / visible : 0.5;
  grid.for_all([&](Index t, Index h, Index w) {
    if (!hidden[grid.at(t, h, w)]) return;
    Colour3 sum{};
    double found = 0;
    for (Index ring = 1; found == 0 && ring < std::max(grid.h, grid.w); ++ring)
      for (Index j = std::max<Index>(0, h - ring); j <= std::min(grid.h - 1, h + ring); ++j)
        for (Index k = std::max<Index>(0, w - ring); k <= std::min(grid.w - 1, w + ring); ++k) {
          if (hidden[grid.at(t, j, k)]) continue;
          for (std::size_t c = 0; c < 3; ++c) sum[c] += means[grid.at(t, j, k)][c];
          ++found;
        }
    for_pixels(shape, tubelet, t, h, w, [&](Index pixel) {
      for (Index c = 0; c < channels; ++c) {
        const auto at = static_cast<std::size_t>(c);
        guess[static_cast<std::size_t>(pixel + c)] =
            static_cast<float>(found > 0 ? sum[at] / found : all[at]);
      }
    });
  });
  return guess;
}

std::optional<MaskedQuality> masked_quality(const Config& config, const Dataset& dataset,
                                            Parameters& parameters) {
  Graph graph(Mode::evaluate);
  const Autoencoder model = build_model(graph, model_options(config), 1);
  if (!model.masked_clip || !model.caveat.empty()) return std::nullopt;
  Executor executor(
      std::make_shared<Plan>(compile(graph, {.fetch = {model.reconstruction, model.masked_clip},
                                             .stream = stream_of(config.train)})),
      parameters);
  const Shape shape = dataset.shape();
  const Extents tubelet{config.model.tubelet, config.model.patch, config.model.patch};
  const Grid grid(shape, tubelet);
  MaskedQuality found;
  for (Index clip = 0; clip < dataset.size(); ++clip) {
    const Tensor input = executor.input("clip");
    dataset.read(clip, {}, {input.data, DType::u8, shape});
    executor.run({.step = static_cast<std::uint64_t>(clip)}, false);
    const auto* pixels = input.as<std::uint8_t>();
    const std::vector<bool> hidden =
        hidden_tubelets(pixels, executor.value(model.masked_clip).as<float>(), shape, tubelet);
    const std::vector<float> guess = guess_hidden(pixels, hidden, shape, tubelet);
    const auto quality_of = [&](const float* predicted) {
      double sum = 0, count = 0;
      grid.for_all([&](Index t, Index h, Index w) {
        if (!hidden[grid.at(t, h, w)]) return;
        for_pixels(shape, tubelet, t, h, w, [&](Index pixel) {
          for (Index c = 0; c < shape[3]; ++c) {
            const double error = std::clamp(static_cast<double>(predicted[pixel + c]), 0.0, 1.0) -
                                 pixels[pixel + c] / 255.0;
            sum += error * error;
            ++count;
          }
        });
      });
      const double mse = sum / std::max(count, 1.0);  // hidden pixels alone fill no SSIM's windows
      return Quality{1, mse, psnr_of(mse), std::numeric_limits<double>::quiet_NaN()};
    };
    found.model += quality_of(executor.value(model.reconstruction).as<float>());
    found.neighbours += quality_of(guess.data());
  }
  return found;
}

}  // namespace framefold

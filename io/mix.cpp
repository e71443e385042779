#include "io/mix.h"

#include <algorithm>
#include <cmath>

#include "io/random.h"
#include "kernels/error.h"

namespace framefold {
namespace {

constexpr std::uint64_t mixing_stream = 0x6d6978;

// Jöhnk's way: u^(1/alpha) and v^(1/alpha) until their sum is at most 1; in logarithms, so that
// small alphas do not underflow.
double beta(double alpha, Draws& draws) {
  for (int attempt = 0; attempt < 1000; ++attempt) {
    const double a = std::log(1 - draws.uniform(0, 1)) / alpha;
    const double b = std::log(1 - draws.uniform(0, 1)) / alpha;
    const double high = std::max(a, b);
    const double sum = high + std::log(std::exp(a - high) + std::exp(b - high));
    if (sum <= 0) return std::exp(a - sum);
  }
  return 0.5;  // where alpha is so large that all lies there
}

// Both become own * lambda + other * (1 - lambda), of what they were.
std::uint8_t blended(std::uint8_t own, std::uint8_t other, double lambda) {
  return static_cast<std::uint8_t>(std::lround(lambda * own + (1 - lambda) * other));
}

}  // namespace

Mixed drawn_mix(const Mixing& options, Index height, Index width, Random random) {
  if (!(options.mixup >= 0 && options.mixup <= 10 && options.cutmix >= 0 && options.cutmix <= 10 &&
        options.probability >= 0 && options.probability <= 1 && options.switching >= 0 &&
        options.switching <= 1))
    fail(ErrorCode::argument, "mixing: mixup ", options.mixup, ", cutmix ", options.cutmix,
         ", probability ", options.probability, ", switching ", options.switching,
         "; expected alphas of 0 to 10, probabilities of 0 to 1");
  Draws draws(random);
  const bool both = options.mixup > 0 && options.cutmix > 0;
  const bool wanted = draws.uniform(0, 1) < options.probability;
  const bool switched = draws.uniform(0, 1) < options.switching;
  if (!wanted || (options.mixup <= 0 && options.cutmix <= 0)) return {};
  const bool cut = both ? switched : options.cutmix > 0;
  const double lambda = beta(cut ? options.cutmix : options.mixup, draws);
  if (!cut) return {lambda, {}};
  const double side = std::sqrt(1 - lambda);
  const auto half_h = static_cast<Index>(side * static_cast<double>(height) / 2);
  const auto half_w = static_cast<Index>(side * static_cast<double>(width) / 2);
  const Index y = draws.below(height), x = draws.below(width);
  const Index top = std::max<Index>(0, y - half_h), left = std::max<Index>(0, x - half_w);
  const Box box{top, left, std::min(height, y + half_h) - top, std::min(width, x + half_w) - left};
  const auto area = static_cast<double>(box.height * box.width);
  return {1 - area / static_cast<double>(height * width), box};
}

void mix(const Mixed& mixed, Tensor clips, float* labels, Index classes) {
  if (clips.dtype != DType::u8 || clips.shape.rank() != 5)
    fail(ErrorCode::shape, "mixing: the clips are ", clips.type(), ", expected u8 [B, T, H, W, C]");
  if (mixed.lambda >= 1) return;
  const Index batch = clips.shape[0], frames = clips.shape[1], height = clips.shape[2];
  const Index width = clips.shape[3], channels = clips.shape[4];
  const Index size = frames * height * width * channels;
  const bool cut = mixed.box.height > 0 && mixed.box.width > 0;
  auto* pixels = clips.as<std::uint8_t>();
  for (Index i = 0; i < batch / 2; ++i) {
    std::uint8_t* a = pixels + i * size;
    std::uint8_t* b = pixels + (batch - 1 - i) * size;
    if (cut) {
      const Index row = mixed.box.width * channels;
      for (Index t = 0; t < frames; ++t)
        for (Index y = mixed.box.y; y < mixed.box.y + mixed.box.height; ++y) {
          const Index at = ((t * height + y) * width + mixed.box.x) * channels;
          std::swap_ranges(a + at, a + at + row, b + at);
        }
    } else {
      for (Index k = 0; k < size; ++k) {
        const std::uint8_t own = a[k], other = b[k];
        a[k] = blended(own, other, mixed.lambda);
        b[k] = blended(other, own, mixed.lambda);
      }
    }
    for (Index k = 0; k < (labels != nullptr ? classes : 0); ++k) {
      float &own = labels[i * classes + k], &other = labels[(batch - 1 - i) * classes + k];
      const auto share = static_cast<float>(mixed.lambda);
      const float mine = own, its = other;
      own = share * mine + (1 - share) * its;
      other = share * its + (1 - share) * mine;
    }
  }
}

void mix_batch(const Mixing& mixing, std::uint64_t seed, Index step, Tensor clips, float* labels,
               Index classes) {
  if (mixing.mixup <= 0 && mixing.cutmix <= 0) return;
  const Random random{seed, stream_of(mixing_stream, static_cast<std::uint64_t>(step))};
  mix(drawn_mix(mixing, clips.shape[2], clips.shape[3], random), clips, labels, classes);
}

}  // namespace framefold

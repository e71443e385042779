// Augmentation of clips: what varies from epoch to epoch.
//
//   source  [T, h, w, C]  u8   as read, C 1 or 3
//   clip    [T, H, W, C]  u8   what apply() writes, whole
//
// In this order, each only where its strength is above 0:
//   crop      multi_scale: sides of the largest rectangle of the clip's proportions, each times one
//             of 1, 0.875, 0.75 and 0.66, at most one step apart, at one of 13 places (TSN: Wang et
//             al. 2016); resized: a share of the area and proportions drawn from ranges (Szegedy et
//             al. 2015), ten tries, then the middle; none: the middle. Resized to H x W with a
//             triangle as wide as the reduction.
//   flip      left and right change places, with probability `flip`
//   affine    rotation, shear, zoom and shift about the middle, bilinear, edges held
//   colour    brightness, contrast, saturation by a factor in 1 +- strength, hue by +- a turn's
//   part rand      RandAugment (Cubuk et al. 2020) as timm's "rand-mM-nN-mstdD-inc1", which
//   VideoMAE uses:
//             N operations of 15, each done with probability 1/2
//   blur      Gaussian, sigma from 0 to `blur` pixels, edges held
//   erase     a rectangle of noise through all frames (Zhong et al. 2020), with probability `erase`
//   mask      `masks` grey rectangles, each `mask_side` of the sides, for inpainting
//   noise     Gaussian; Poisson, `poisson` photons at white; random walk, steps added up over time;
//             salt and pepper: black or white pixels
//
// What is drawn holds for all frames of a clip; only noise differs from frame to frame. Each of the
// above draws from a stream of its own: a pure function of (random, source), whatever the others
// do. All strengths 0, h = H and w = W: the source, unchanged.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "io/dataset.h"
#include "io/sampling.h"

namespace framefold {

struct Augmentation {
  enum class Crop : std::uint8_t { none, multi_scale, resized };
  Crop crop = Crop::none;
  double scale_low = 0.5, scale_high = 1;  // resized: share of the area
  double aspect_low = 0.75,
         aspect_high = 4 / 3.;   // resized: width over height, relative to the clip's
  double flip = 0;               // probability
  double rotate = 0, shear = 0;  // degrees, at most
  double zoom = 0, shift = 0;    // factor 1 +- zoom; share of the sides, at most
  double brightness = 0, contrast = 0, saturation = 0, hue = 0;
  Index rand_ops = 0;  // RandAugment: operations; its magnitude 0 to 10, and that's deviation
  double rand_magnitude = 7, rand_deviation = 0.5;
  double blur = 0;                               // pixels
  double erase = 0;                              // probability
  double erase_low = 0.02, erase_high = 1 / 3.;  // share of the area
  Index masks = 0;
  double mask_side = 0.25;
  double gaussian = 0, walk = 0;  // standard deviations, white is 1
  double poisson = 0, salt = 0;   // photons at white, 0: none; share of the pixels
};

Augmentation::Crop crop_kind(std::string_view name);  // "none", "multi-scale" or "resized"
bool changes(const Augmentation& augmentation);       // whether anything is above 0

class Augmenter {
 public:
  explicit Augmenter(const Augmentation& options);  // Error(argument) where a value is out of range

  // The part of frames [h, w] that becomes H x W: for readers that crop themselves, which then give
  // apply() frames of H x W.
  Box crop(Index h, Index w, Index height, Index width, Random random) const;
  // `cropped`: the source is what crop() said, already resized; it may be the clip itself.
  void apply(View source, Random random, Tensor clip, bool cropped = false) const;

 private:
  Augmentation options_;
  std::vector<std::vector<std::uint32_t>> poisson_;  // for each brightness, when a count is passed
};

// A dataset's clips, augmented, as [T, height, width, C]; names, labels and size stay.
std::shared_ptr<const Dataset> augmented(std::shared_ptr<const Dataset> dataset,
                                         const Augmentation& options, Index height, Index width);

}  // namespace framefold

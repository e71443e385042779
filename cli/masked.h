// How well a masked model predicts what it was not shown, beside the simplest guess from what it
// was shown.
//
// Over hidden pixels alone, 0 to 1, predictions clamped. The guess for a hidden tubelet is one
// colour: the mean over the visible tubelets of its slot of time that are nearest to it, all those
// of the smallest square ring about it that holds one; the mean of all visible pixels where the
// slot shows none.
#pragma once

#include <optional>
#include <vector>

#include "cli/evaluation.h"

namespace framefold {

struct MaskedQuality {
  Quality model, neighbours;  // means over clips
};

// Which of the tubelets [t, h, w] of size `tubelet` of a clip [T, H, W, C] are hidden: those that
// differ from the clip in `masked`, where they are grey.
std::vector<bool> hidden_tubelets(const std::uint8_t* clip, const float* masked, const Shape& shape,
                                  const Extents& tubelet);

// The guess, [T, H, W, C]; visible pixels are the clip's.
std::vector<float> guess_hidden(const std::uint8_t* clip, const std::vector<bool>& hidden,
                                const Shape& shape, const Extents& tubelet);

// None where the model masks nothing, or predicts pixels only with the truth's help.
std::optional<MaskedQuality> masked_quality(const Config& config, const Dataset& dataset,
                                            Parameters& parameters);

}  // namespace framefold

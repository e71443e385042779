// Features of clips, and what they know of the clips' classes.
//
// FILE.safetensors holds, R rows, a row a clip:
//
//   features   f32  [R, C]       pooled: the mean of the encoder's N tokens
//              f32  [R, N, C]    tokens, in the encoder's order (time, height, width)
//              f32  [R, P]       pixels from 0 to 1
//   labels     i32  [R]          the class, -1: none
//   frames     i32  [R, 2]       the first and the last frame, as the file counts them
//   seconds    f64  [R, 2]       when they are shown; NaN where there is no clock
//   metadata   "framefold.rows": a JSON list of the rows' names; "framefold.classes": of the
//   classes; "framefold.skipped": what was left out because it is damaged, a message each
//
// FILE.npy holds the features alone; FILE.npy.json beside it the rest, a row each.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cli/parts.h"
#include "io/safetensors.h"

namespace framefold {

struct Features {
  Shape shape;
  std::vector<float> values;
  std::vector<std::int32_t> labels, frames;
  std::vector<double> seconds;
  std::vector<std::string> names, classes;
  std::vector<std::string> skipped;  // what has no row, and why

  Index rows() const { return shape[0]; }
  Index width() const { return shape.size() / shape[0]; }  // numbers of a row
};

enum class FeatureKind : std::uint8_t { pooled, tokens, pixels };

// Of every clip, in their order. `weights` is a safetensors file with the encoder's. A damaged clip
// is an Error (format or file), or, where data.on_bad is skip, one of `skipped`, up to
// data.bad_budget of them.
Features extract_features(const Config& config, const Dataset& clips, FeatureKind kind,
                          const std::filesystem::path& weights);

// Error(argument) for another ending than .safetensors and .npy.
void write_features(const std::filesystem::path& path, const Features& features,
                    const SafetensorsMetadata& notes = {});
Features read_features(const std::filesystem::path& path);  // .safetensors

// The share of the rows of `held_out` whose class is named rightly.
//
// k nearest neighbours by the cosine, each with a vote of e^(cosine / 0.07) (Wu et al. 2018).
double nearest_neighbours(const Features& train, const Features& held_out, Index k);
// Softmax regression on features that `train` standardises: full-batch AdamW from zeros.
struct LinearProbe {
  Index steps = 300;
  double rate = 0.03;
  double weight_decay = 0.01;
};
double linear_probe(const Features& train, const Features& held_out, const LinearProbe& options,
                    const Stream& stream);

// Ridge regression of the number that a row's class is named by ("3", "-0.5") on features that
// `train` standardises: least squares, and `decay` times the rows times the weights' squares.
struct NumberProbe {
  double mse = 0;           // of the rows of `held_out`
  double r2 = 0;            // 1 - mse over the variance of their numbers
  double baseline_mse = 0;  // of always saying the mean of the numbers of `train`
};
NumberProbe number_probe(const Features& train, const Features& held_out, double decay);

}  // namespace framefold

// VideoMAE's weights under the names and in the layouts of others, to Framefold's and back.
//
//   transformers   VideoMAEForPreTraining and VideoMAEForVideoClassification; query and value
//   biases
//                  as q_bias or query.bias; a key.bias only where it is zero
//   original       the paper's code; fine-tuned ones with or without "encoder." or "backbone."
//
// Their matrices are [out, in], ours [in, out]. Three matrices of queries, keys and values, or one
// [3 C, C], are our [C, 3 C]. Their patch embedding [C, c, t, h, w] is our [t h w c, C].
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "engine/parameters.h"
#include "io/safetensors.h"
#include "models/model.h"

namespace framefold {

enum class WeightNames : std::uint8_t { transformers, original };

WeightNames weight_names(const SafetensorsFile& file);

// A file's tensors for the parameters of a graph. Error(shape) lists what is missing, misshapen and
// unknown; nothing of that size has been allocated before.
class ForeignWeights {
 public:
  // `file` outlives it. Options as videomae_options returns them.
  ForeignWeights(const SafetensorsFile& file, const std::filesystem::path& path, const Graph& graph,
                 const ModelOptions& options);
  void read(Parameters& parameters) const;

 private:
  struct Part {
    std::string name;
    Shape shape;
  };
  struct Tensor {
    std::string ours;
    std::vector<Part> parts;
  };

  const SafetensorsFile& file_;
  ModelOptions options_;
  std::vector<Tensor> tensors_;
};

struct NamedNumbers {
  std::string name;
  Shape shape;
  std::vector<float> numbers;
};
std::vector<NamedNumbers> foreign_weights(const Parameters& parameters, const ModelOptions& options,
                                          WeightNames names);

// Learned positions [N, C] of one grid of tokens on another, linear along each axis, the outer
// positions aligned as edges are.
std::vector<float> interpolated_positions(View positions, const Extents& from, const Extents& to);

}  // namespace framefold

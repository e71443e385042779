#include "models/videomae_weights.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "engine/misfits.h"
#include "kernels/check.h"
#include "models/videomae.h"

namespace framefold {
namespace {

// Where one of our tensors comes from: one tensor or three that stand above each other, each with
// its spellings, the one to write first.
struct Source {
  std::vector<std::vector<std::string>> parts;
};

bool replace_prefix(std::string& name, std::string_view from, std::string_view to) {
  if (!name.starts_with(from)) return false;
  name.replace(0, from.size(), to);
  return true;
}

bool replace_suffix(std::string& name, std::string_view from, std::string_view to) {
  if (!name.ends_with(from)) return false;
  name.replace(name.size() - from.size(), from.size(), to);
  return true;
}

void replace_all(std::string& name, std::string_view from, std::string_view to) {
  if (const std::size_t at = name.find(from); at != std::string::npos)
    name.replace(at, from.size(), to);
}

Source in_transformers(std::string name) {
  if (!replace_prefix(name, "encoder.blocks.", "videomae.encoder.layer."))
    replace_prefix(name, "decoder.blocks.", "decoder.decoder_layers.");
  replace_prefix(name, "encoder.patch_embed.", "videomae.embeddings.patch_embeddings.projection.");
  replace_prefix(name, "encoder.norm.", "videomae.layernorm.");
  replace_prefix(name, "head.", "classifier.");
  replace_all(name, ".norm1.", ".layernorm_before.");
  replace_all(name, ".norm2.", ".layernorm_after.");
  replace_all(name, ".attn.proj.", ".attention.output.dense.");
  replace_all(name, ".mlp.fc1.", ".intermediate.dense.");
  replace_all(name, ".mlp.fc2.", ".output.dense.");
  const std::string inner = ".attention.attention.";
  for (const auto& [ours, theirs] : {std::pair{"q_bias", "query"}, std::pair{"v_bias", "value"}}) {
    std::string other = name;
    if (!replace_suffix(other, text(".attn.", ours), text(inner, theirs, ".bias"))) continue;
    replace_suffix(name, text(".attn.", ours), inner + ours);
    return {{{name, other}}};
  }
  if (!name.ends_with(".attn.qkv.weight")) return {{{name}}};
  Source source;
  for (const char* part : {"query", "key", "value"}) {
    source.parts.push_back({name});
    replace_suffix(source.parts.back()[0], ".attn.qkv.weight", text(inner, part, ".weight"));
  }
  return source;
}

Source in_original(std::string name, bool classifier) {
  replace_prefix(name, "encoder.patch_embed.", "encoder.patch_embed.proj.");
  if (name == "encoder.positions") name = "encoder.pos_embed";
  if (!name.starts_with("encoder.") || !classifier) return {{{name}}};
  const std::string bare = name.substr(std::string_view("encoder.").size());
  return {{{bare, name, "backbone." + bare}}};
}

Source source_of(std::string name, WeightNames names, bool classifier) {
  replace_suffix(name, ".gamma", ".weight");
  replace_suffix(name, ".beta", ".bias");
  return names == WeightNames::transformers ? in_transformers(name) : in_original(name, classifier);
}

bool is_classifier(const Graph& graph) {
  return std::ranges::none_of(graph.values(), [](const Graph::ValueInfo& value) {
    return value.kind == Graph::Kind::parameter && value.name == "mask_token";
  });
}

bool is_patch(const std::string& ours) { return ours == "encoder.patch_embed.weight"; }

// The shape of each of `parts` foreign tensors.
Shape foreign_shape(const std::string& ours, const Shape& shape, std::size_t parts,
                    const ModelOptions& options) {
  if (is_patch(ours))
    return {shape[1], options.clip.channels, options.tubelet, options.patch, options.patch};
  if (ours == "mask_token") return {1, 1, shape[0]};
  if (ours == "encoder.positions") return {1, shape[0], shape[1]};
  if (shape.rank() == 1) return shape;
  return {shape[1] / static_cast<Index>(parts), shape[0]};
}

// Which of our rows a column of a foreign matrix is.
std::vector<Index> rows_of(const std::string& ours, Index count, const ModelOptions& options) {
  std::vector<Index> rows(static_cast<std::size_t>(count));
  std::iota(rows.begin(), rows.end(), Index{0});
  if (!is_patch(ours)) return rows;
  const Index channels = options.clip.channels;
  const Index pixels = count / channels;
  for (Index i = 0; i < count; ++i)
    rows[static_cast<std::size_t>(i)] = i % pixels * channels + i / pixels;
  return rows;
}

bool is_matrix(const std::string& ours, const Shape& shape) {
  return shape.rank() == 2 && ours != "encoder.positions";
}

// Calls move(our number, foreign number) for every number of foreign tensor `part`.
template <class Move>
void for_numbers(const std::string& ours, const Tensor& tensor, std::size_t part,
                 const Shape& shape, const ModelOptions& options, Move&& move) {
  if (!is_matrix(ours, tensor.shape)) {
    for (Index i = 0; i < tensor.size(); ++i) move(i, i);
    return;
  }
  const Index in = tensor.shape[0];
  const Index all = tensor.shape[1];
  const Index out = shape[0];
  const std::vector<Index> rows = rows_of(ours, in, options);
  for (Index i = 0; i < in; ++i)
    for (Index o = 0; o < out; ++o)
      move(rows[static_cast<std::size_t>(i)] * all + static_cast<Index>(part) * out + o,
           o * in + i);
}

std::vector<float> numbers_of(const SafetensorsFile& file, const std::string& name,
                              const Shape& shape) {
  const DType type = *file.find(name)->dtype;
  const auto count = static_cast<std::size_t>(shape.size());
  std::vector<float> numbers(count);
  if (type == DType::f32) {
    file.read(name, {numbers.data(), type, shape});
    return numbers;
  }
  for_float(type, [&]<class T>(T) {
    std::vector<T> stored(count);
    file.read(name, {stored.data(), type, shape});
    std::transform(stored.begin(), stored.end(), numbers.begin(),
                   [](T value) { return static_cast<float>(value); });
  });
  return numbers;
}

// transformers' keys have no bias, but files have been seen that hold zeros for it.
bool is_zero_key_bias(const SafetensorsFile& file, const SafetensorsEntry& entry, Index limit) {
  if (!entry.name.ends_with(".attention.attention.key.bias") || !entry.dtype ||
      !is_float(*entry.dtype) || entry.shape.size() > limit)
    return false;
  const std::vector<float> numbers = numbers_of(file, entry.name, entry.shape);
  return std::ranges::all_of(numbers, [](float number) { return number == 0; });
}

}  // namespace

WeightNames weight_names(const SafetensorsFile& file) {
  const bool transformers = std::ranges::any_of(file.entries(), [](const SafetensorsEntry& entry) {
    return entry.name.starts_with("videomae.");
  });
  return transformers ? WeightNames::transformers : WeightNames::original;
}

ForeignWeights::ForeignWeights(const SafetensorsFile& file, const std::filesystem::path& path,
                               const Graph& graph, const ModelOptions& options)
    : file_(file), options_(options) {
  const WeightNames names = weight_names(file);
  const bool classifier = is_classifier(graph);
  Misfits misfits;
  std::set<std::string> known;
  for (const Graph::ValueInfo& value : graph.values()) {
    if (value.kind != Graph::Kind::parameter) continue;
    const Source source = source_of(value.name, names, classifier);
    Tensor tensor{.ours = value.name};
    for (const std::vector<std::string>& spellings : source.parts) {
      const auto found = std::ranges::find_if(
          spellings, [&](const std::string& name) { return file.find(name) != nullptr; });
      if (found == spellings.end()) {
        misfits.missing(spellings.front());
        continue;
      }
      known.insert(*found);
      const SafetensorsEntry& entry = *file.find(*found);
      const Shape shape = foreign_shape(value.name, value.type.shape, source.parts.size(), options);
      if (!entry.dtype || !is_float(*entry.dtype) || !(entry.shape == shape))
        misfits.misshapen(entry.name, entry, text("F32, BF16 or F64 ", shape));
      tensor.parts.push_back({*found, shape});
    }
    tensors_.push_back(std::move(tensor));
  }
  for (const SafetensorsEntry& entry : file.entries())
    if (!known.contains(entry.name) && !is_zero_key_bias(file, entry, 1 << 20))
      misfits.unknown(entry.name);
  if (const std::string list = misfits.list(); !list.empty())
    fail(ErrorCode::shape, path.string(), " does not fit its configuration", list);
}

void ForeignWeights::read(Parameters& parameters) const {
  for (const Tensor& tensor : tensors_) {
    const framefold::Tensor ours = parameters.value(tensor.ours);
    for (std::size_t p = 0; p < tensor.parts.size(); ++p) {
      const auto& [name, shape] = tensor.parts[p];
      const std::vector<float> theirs = numbers_of(file_, name, shape);
      for_numbers(tensor.ours, ours, p, shape, options_, [&](Index to, Index from) {
        ours.as<float>()[to] = theirs[static_cast<std::size_t>(from)];
      });
    }
  }
}

std::vector<NamedNumbers> foreign_weights(const Parameters& parameters, const ModelOptions& options,
                                          WeightNames names) {
  const bool classifier = std::ranges::none_of(
      parameters.entries(), [](const auto& entry) { return entry.name == "mask_token"; });
  std::vector<NamedNumbers> all;
  for (const Parameters::Entry& entry : parameters.entries()) {
    if (entry.name == "encoder.positions" && names == WeightNames::transformers)
      fail(ErrorCode::config,
           "transformers' VideoMAE has no learned positions; convert --to "
           "original, or train with model.positions = \"sincos\"");
    const Tensor ours = parameters.value(entry.name);
    const Source source = source_of(entry.name, names, classifier);
    for (std::size_t p = 0; p < source.parts.size(); ++p) {
      const Shape shape = foreign_shape(entry.name, entry.shape, source.parts.size(), options);
      NamedNumbers theirs{source.parts[p].front(), shape,
                          std::vector<float>(static_cast<std::size_t>(shape.size()))};
      for_numbers(entry.name, ours, p, shape, options, [&](Index from, Index to) {
        theirs.numbers[static_cast<std::size_t>(to)] = ours.as<float>()[from];
      });
      all.push_back(std::move(theirs));
    }
  }
  return all;
}

std::vector<float> interpolated_positions(View positions, const Extents& from, const Extents& to) {
  const Index width = positions.shape[1];
  const Index all = to[0] * to[1] * to[2];
  std::vector<float> made(static_cast<std::size_t>(all * width));
  for (Index n = 0; n < all; ++n) {
    const Extents at{n / (to[1] * to[2]), n / to[2] % to[1], n % to[2]};
    // Of each axis the two neighbours, and how much of the second.
    std::array<std::array<Index, 2>, 3> near{};
    std::array<double, 3> part{};
    for (std::size_t a = 0; a < 3; ++a) {
      const double centre = (static_cast<double>(at[a]) + 0.5) * static_cast<double>(from[a]) /
                                static_cast<double>(to[a]) -
                            0.5;
      const double place = std::clamp(centre, 0.0, static_cast<double>(from[a] - 1));
      near[a][0] = static_cast<Index>(place);
      near[a][1] = std::min(near[a][0] + 1, from[a] - 1);
      part[a] = place - static_cast<double>(near[a][0]);
    }
    for (std::size_t corner = 0; corner < 8; ++corner) {
      double weight = 1;
      Extents cell{};
      for (std::size_t a = 0; a < 3; ++a) {
        const std::size_t side = corner >> a & 1;
        weight *= side == 1 ? part[a] : 1 - part[a];
        cell[a] = near[a][side];
      }
      const float* row =
          positions.as<float>() + ((cell[0] * from[1] + cell[1]) * from[2] + cell[2]) * width;
      for (Index c = 0; c < width; ++c)
        made[static_cast<std::size_t>(n * width + c)] +=
            static_cast<float>(weight * static_cast<double>(row[c]));
    }
  }
  return made;
}

}  // namespace framefold

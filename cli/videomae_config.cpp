#include "cli/videomae_config.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "io/file.h"
#include "io/safetensors.h"
#include "models/videomae.h"

namespace framefold {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr Bytes longest = 1 << 20;         // of a config.json
constexpr Index largest = Index{1} << 16;  // of any number in it
constexpr Index most_blocks = 1024;

class Reader {
 public:
  explicit Reader(const fs::path& path) : path_(path) {
    json_ = Json::parse(read_file(path, longest), nullptr, /*allow_exceptions=*/false);
    if (!json_.is_object()) fail(ErrorCode::format, path.string(), " is no JSON object");
  }

  template <class... Parts>
  [[noreturn]] void wrong(const Parts&... parts) const {
    fail(ErrorCode::format, path_.string(), ": ", parts...);
  }

  Index integer(const char* key, Index otherwise, Index most = largest) const {
    const Json* value = find(key);
    return value == nullptr ? otherwise : integer(key, *value, most);
  }
  Index integer(const char* key, const Json& value, Index most = largest) const {
    if (value.is_number_unsigned() && value.get<std::uint64_t>() >= 1 &&
        value.get<std::uint64_t>() <= static_cast<std::uint64_t>(most))
      return value.get<Index>();
    wrong(key, " is ", value.dump().substr(0, 40), ", expected an integer from 1 to ", most);
  }
  double number(const char* key, double otherwise) const {
    const Json* value = find(key);
    if (value == nullptr) return otherwise;
    if (value->is_number() && value->get<double>() > 0 && value->get<double>() < 1)
      return value->get<double>();
    wrong(key, " is ", value->dump().substr(0, 40), ", expected a number between 0 and 1");
  }
  bool flag(const char* key, bool otherwise) const {
    const Json* value = find(key);
    if (value == nullptr) return otherwise;
    if (value->is_boolean()) return value->get<bool>();
    wrong(key, " is ", value->dump().substr(0, 40), ", expected true or false");
  }
  // One number for both, or [height, width].
  std::pair<Index, Index> sides(const char* key, Index otherwise) const {
    const Json* value = find(key);
    if (value == nullptr || !value->is_array()) {
      const Index side = integer(key, otherwise);
      return {side, side};
    }
    if (value->size() != 2) wrong(key, " has ", value->size(), " numbers, expected 2");
    return {integer(key, (*value)[0]), integer(key, (*value)[1])};
  }
  std::string word(const char* key, const char* otherwise) const {
    const Json* value = find(key);
    if (value == nullptr) return otherwise;
    if (value->is_string()) return value->get<std::string>();
    wrong(key, " is ", value->dump().substr(0, 40), ", expected a text");
  }
  const Json* find(const char* key) const {
    const auto found = json_.find(key);
    return found == json_.end() || found->is_null() ? nullptr : &*found;
  }

 private:
  fs::path path_;
  Json json_;
};

// The highest i in "PREFIX.i." among the names, plus 1.
Index blocks_of(const SafetensorsFile& file, const std::string& prefix) {
  std::set<std::string> numbers;
  for (const SafetensorsEntry& entry : file.entries())
    if (entry.name.starts_with(prefix))
      numbers.insert(
          entry.name.substr(prefix.size(), entry.name.find('.', prefix.size()) - prefix.size()));
  return std::min(most_blocks, static_cast<Index>(numbers.size()));
}

}  // namespace

Index classes_in(const SafetensorsFile& file) {
  for (const char* name : {"classifier.weight", "head.weight"})
    if (const SafetensorsEntry* entry = file.find(name);
        entry != nullptr && entry->shape.rank() == 2)
      return std::min(largest, entry->shape[0]);
  return 0;
}

ForeignConfig read_videomae_config(const fs::path& path, Index classes) {
  const Reader json(path);
  if (const std::string type = json.word("model_type", ""); type != "videomae")
    json.wrong("model_type is \"", type, "\", expected \"videomae\"");
  if (const std::string f = json.word("hidden_act", "gelu"); f != "gelu")
    json.wrong("hidden_act is \"", f, "\", Framefold's blocks have \"gelu\"");
  if (!json.flag("qv_bias", true)) json.wrong("qv_bias is false, Framefold's blocks have biases");
  ForeignConfig config;
  const Json* names = json.find("id2label");
  for (Index i = 0; i < classes; ++i) {
    const std::string number = text(i);
    const bool named = names != nullptr && names->is_object() && names->contains(number) &&
                       (*names)[number].is_string();
    std::string name = named ? (*names)[number].get<std::string>() : "class " + number;
    std::ranges::replace(name, '\n', ' ');
    config.classes.push_back(std::move(name));
  }
  const bool pooled = json.flag("use_mean_pooling", true);
  if (classes > 0 && !pooled)
    json.wrong(
        "use_mean_pooling is false: this classifier looks at its first token alone, "
        "Framefold's at the mean of all");
  ModelOptions& model = config.model;
  model.name = "videomae";
  const auto [height, width] = json.sides("image_size", 224);
  const auto [patch, patch_width] = json.sides("patch_size", 16);
  if (patch != patch_width)
    json.wrong("patches are ", patch, " x ", patch_width, ", expected squares");
  model.clip = {json.integer("num_frames", 16), height, width, json.integer("num_channels", 3)};
  model.patch = patch;
  model.tubelet = json.integer("tubelet_size", 2);
  model.width = json.integer("hidden_size", 768);
  model.depth = json.integer("num_hidden_layers", 12, most_blocks);
  model.heads = json.integer("num_attention_heads", 12);
  model.decoder_width = json.integer("decoder_hidden_size", 384);
  model.decoder_depth = json.integer("decoder_num_hidden_layers", 4, most_blocks);
  model.decoder_heads = json.integer("decoder_num_attention_heads", 6);
  const Index hidden = json.integer("intermediate_size", 3072);
  const Index decoder_hidden = json.integer("decoder_intermediate_size", 1536);
  if (classes == 0 && hidden * model.decoder_width != decoder_hidden * model.width)
    json.wrong("hidden units are ", hidden, " of ", model.width, " and ", decoder_hidden, " of ",
               model.decoder_width, ", expected the same ratio in both parts");
  model.mlp_ratio = static_cast<double>(hidden) / static_cast<double>(model.width);
  model.norm_epsilon = json.number("layer_norm_eps", 1e-12);
  model.final_epsilon = 1e-5;    // what its decoder and classifier are built with
  model.encoder_norm = !pooled;  // so theirs are built, those that are pre-trained too
  model.target = json.flag("norm_pix_loss", true) ? "normalized" : "raw";
  model.input = model.clip.channels == 3 ? "imagenet" : "unit";
  return config;
}

ForeignConfig guess_videomae_config(const SafetensorsFile& file, const fs::path& path) {
  const auto shape_of = [&](std::initializer_list<const char*> names, int rank) {
    for (const char* name : names)
      if (const SafetensorsEntry* entry = file.find(name);
          entry != nullptr && entry->shape.rank() == rank)
        return entry->shape;
    fail(ErrorCode::format, path.string(), " holds no ", *names.begin(),
         ": it is no VideoMAE of the paper's code; expected one, or config.json beside "
         "transformers' weights");
  };
  ForeignConfig config;
  for (Index i = 0; i < classes_in(file); ++i) config.classes.push_back(text("class ", i));
  ModelOptions& model = config.model;
  model.name = "videomae";
  const Shape patch = shape_of({"encoder.patch_embed.proj.weight", "patch_embed.proj.weight",
                                "backbone.patch_embed.proj.weight"},
                               5);
  model.clip = {16, 224, 224, patch[1]};
  model.width = patch[0];
  model.tubelet = patch[2];
  model.patch = patch[3];
  for (const char* prefix : {"encoder.blocks.", "blocks.", "backbone.blocks."})
    model.depth = std::max(model.depth, blocks_of(file, prefix));
  const auto heads = [](Index width) {
    return width == 1280 ? 16 : std::max<Index>(1, width / 64);
  };
  model.heads = heads(model.width);
  model.decoder_width = model.decoder_depth = model.decoder_heads = 1;
  model.encoder_norm = config.classes.empty();
  if (config.classes.empty()) {
    model.decoder_width = shape_of({"mask_token"}, 3)[2];
    model.decoder_depth = blocks_of(file, "decoder.blocks.");
    model.decoder_heads = model.decoder_width == 640 ? 8 : heads(model.decoder_width);
  }
  const Shape hidden = shape_of({"encoder.blocks.0.mlp.fc1.weight", "blocks.0.mlp.fc1.weight",
                                 "backbone.blocks.0.mlp.fc1.weight"},
                                2);
  model.mlp_ratio = static_cast<double>(hidden[0]) / static_cast<double>(model.width);
  for (const Index number : {model.width, model.depth, model.decoder_width, model.decoder_depth,
                             model.tubelet, model.patch, hidden[0], patch[1]})
    if (number < 1 || number > largest)
      fail(ErrorCode::format, path.string(), ": its tensors speak of ", number, " of something");
  if (file.find("encoder.pos_embed") != nullptr) model.positions = "learned";
  model.target = "normalized";
  model.input = model.clip.channels == 3 ? "imagenet" : "unit";
  return config;
}

Json videomae_config(const ModelOptions& o, const std::vector<std::string>& classes) {
  const auto hidden = [&](Index width) {
    return static_cast<Index>(std::llround(o.mlp_ratio * static_cast<double>(width)));
  };
  const bool classifier = !classes.empty();
  Json json{{"model_type", "videomae"}};
  json["architectures"] =
      Json::array({classifier ? "VideoMAEForVideoClassification" : "VideoMAEForPreTraining"});
  if (o.clip.height == o.clip.width)
    json["image_size"] = o.clip.height;
  else
    json["image_size"] = {o.clip.height, o.clip.width};
  json["patch_size"] = o.patch;
  json["num_channels"] = o.clip.channels;
  json["num_frames"] = o.clip.frames;
  json["tubelet_size"] = o.tubelet;
  json["hidden_size"] = o.width;
  json["num_hidden_layers"] = o.depth;
  json["num_attention_heads"] = o.heads;
  json["intermediate_size"] = hidden(o.width);
  json["hidden_act"] = "gelu";
  json["layer_norm_eps"] = o.norm_epsilon;
  json["qv_bias"] = true;
  json["use_mean_pooling"] = !o.encoder_norm;
  for (std::size_t i = 0; i < classes.size(); ++i) {
    json["id2label"][text(i)] = classes[i];
    json["label2id"][classes[i]] = i;
  }
  json["decoder_hidden_size"] = o.decoder_width;
  json["decoder_num_hidden_layers"] = o.decoder_depth;
  json["decoder_num_attention_heads"] = o.decoder_heads;
  json["decoder_intermediate_size"] = hidden(o.decoder_width);
  json["norm_pix_loss"] = o.target == "normalized";
  return json;
}

Json videomae_preprocessor(const ModelOptions& o) {
  const bool imagenet = o.input == "imagenet";
  const Index shortest = std::min(o.clip.height, o.clip.width);
  return {{"image_processor_type", "VideoMAEImageProcessor"},
          {"do_resize", true},
          {"size", {{"shortest_edge", shortest}}},
          {"do_center_crop", true},
          {"crop_size", {{"height", o.clip.height}, {"width", o.clip.width}}},
          {"do_rescale", true},
          {"do_normalize", imagenet},
          {"image_mean", {0.485, 0.456, 0.406}},
          {"image_std", {0.229, 0.224, 0.225}}};
}

}  // namespace framefold

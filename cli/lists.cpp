// framefold models, framefold ops, framefold keys: what there is to choose from.
#include "cli/command.h"
#include "cli/print.h"
#include "engine/op.h"
#include "models/model.h"

namespace framefold {
namespace {

void list_models(bool as_json) {
  Json json{{"models", Json::array()}, {"presets", Json::array()}};
  TextTable model_table({"model"}), preset_table({"preset"});
  for (const ModelInfo& model : models()) {
    model_table.row({std::string(model.name), std::string(model.summary)});
    json["models"].push_back({{"name", model.name}, {"summary", model.summary}});
  }
  for (const Preset& preset : presets()) {
    preset_table.row({std::string(preset.name), std::string(preset.summary())});
    json["presets"].push_back({{"name", preset.name}, {"summary", preset.summary()}});
  }
  if (as_json) return print(json);
  print(preset_table.text() + '\n' + model_table.text());
}

void list_ops(bool as_json) {
  Json json = Json::array();
  TextTable table({"operation"});
  for (const OpInfo& op : registered_ops()) {
    table.row({std::string(op.name), std::string(op.summary)});
    json.push_back({{"name", op.name}, {"summary", op.summary}});
  }
  if (as_json) return print(json);
  print(table.text());
}

void list_keys(const std::string& prefix, bool as_json) {
  Json json = Json::array();
  TextTable table({"key", "default"});
  Config defaults;
  for (const Key& key : keys()) {
    if (key.name.substr(0, prefix.size()) != prefix) continue;
    const std::string doc = described(key);
    table.row({std::string(key.name), value_text(key, defaults), doc});
    json.push_back({{"name", key.name},
                    {"type", type_name(key)},
                    {"default", value_text(key, defaults)},
                    {"variable", variable_name(key)},
                    {"on_resume", key.on_resume},
                    {"doc", doc}});
  }
  if (json.empty()) fail(ErrorCode::config, "no key begins with \"", prefix, "\"");
  if (as_json) return print(json);
  print(table.text());
}

}  // namespace

void add_models(CLI::App& app) {
  auto json = std::make_shared<bool>(false);
  subcommand(app, "models", "List presets and models", "  framefold models\n", *json)
      ->callback([json] { list_models(*json); });
}

void add_ops(CLI::App& app) {
  auto json = std::make_shared<bool>(false);
  subcommand(app, "ops", "List the operations that models are built from", "  framefold ops\n",
             *json)
      ->callback([json] { list_ops(*json); });
}

void add_keys(CLI::App& app) {
  auto json = std::make_shared<bool>(false);
  auto prefix = std::make_shared<std::string>();
  CLI::App* command = subcommand(
      app, "keys", "List what a configuration may say",
      "  framefold keys train                     the keys of [train]\n"
      "  FRAMEFOLD_TRAIN_BATCH=8 framefold train digits-dense      set one by the environment\n",
      *json);
  command->add_option("PREFIX", *prefix, "Only keys that begin so")->type_name("");
  command->callback([json, prefix] { list_keys(*prefix, *json); });
}

}  // namespace framefold

#include "cli/config.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <map>
#include <sstream>

#define TOML_EXCEPTIONS 1
#include <toml++/toml.h>

#include "io/file.h"
#include "io/printable.h"
#include "kernels/error.h"
#include "kernels/nearest.h"

namespace framefold {
namespace {

namespace fs = std::filesystem;

// A value as a source gives it. Texts come from the environment and flags and may stand for any
// type.
using Given = std::variant<std::string, Index, double, bool, std::vector<Index>>;

// The fewest digits that read back as the same number, a float to TOML: 0.0003, 3.0, 1e-08.
std::string shortest(double value) {
  std::array<char, 32> digits{};
  const double size = std::abs(value);
  const auto format = value == 0 || (size >= 1e-4 && size < 1e9) ? std::chars_format::fixed
                                                                 : std::chars_format::general;
  std::string out(digits.data(),
                  std::to_chars(digits.data(), digits.data() + digits.size(), value, format).ptr);
  if (out.find_first_not_of("-0123456789") == std::string::npos) out += ".0";
  return out;
}

// A text as TOML has it, on one line.
std::string quoted(const std::string& value) {
  if (!is_utf8(value))
    fail(ErrorCode::config, value,
         " is no UTF-8, which config.toml could not keep; choose another name (a symbolic link, "
         "where it is a path)");
  const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
  if (value.find('\'') == std::string::npos && std::ranges::none_of(value, control))
    return '\'' + value + '\'';
  std::string out = "\"";
  for (const char c : value) {
    std::array<char, 8> escaped{};
    std::snprintf(escaped.data(), escaped.size(), control(c) ? "\\u%04x" : "\\%c", c);
    out += control(c) || c == '"' || c == '\\' ? escaped.data() : std::string(1, c);
  }
  return out + '"';
}

std::string expected_type(const Key& key) {
  const std::string_view type = type_name(key);
  if (type == "integer") return "an integer";
  if (type == "number" || type == "list of integers") return text("a ", type);
  return std::string(type);
}

[[noreturn]] void fail_value(std::string_view place, const Key& key, const std::string& given) {
  fail(ErrorCode::config, place, ": ", key.name, " is ", given, ", expected ", expected_type(key));
}

std::vector<std::string> pieces_of(std::string_view text, char separator) {
  std::vector<std::string> pieces;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find(separator, at), text.size());
    pieces.emplace_back(text.substr(at, end - at));
    at = end + 1;
  }
  return pieces;
}

std::string trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(" \t") - first + 1));
}

template <class Number>
bool parse(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

bool parse(std::string_view text, std::vector<Index>& list) {
  std::string inner = trimmed(text);
  if (inner.size() >= 2 && inner.front() == '[' && inner.back() == ']')
    inner = trimmed(std::string_view(inner).substr(1, inner.size() - 2));
  list.clear();
  if (inner.empty()) return true;
  for (const std::string& piece : pieces_of(inner, ',')) {
    list.push_back(0);
    if (!parse(trimmed(piece), list.back())) return false;
  }
  return true;
}

void check_range(std::string_view place, const Key& key, double value) {
  if (value >= key.minimum && value <= key.maximum) return;
  const bool bounded = key.maximum < std::numeric_limits<double>::infinity();
  fail(ErrorCode::config, place, ": ", key.name, " is ", value, ", expected ",
       bounded ? text("from ", key.minimum, " to ", key.maximum) : text("at least ", key.minimum));
}

void check_choice(std::string_view place, const Key& key, const std::string& value) {
  if (key.choices.empty()) return;
  const std::vector<std::string> choices = pieces_of(key.choices, '|');
  if (std::find(choices.begin(), choices.end(), value) != choices.end()) return;
  std::string listed;
  for (const std::string& choice : choices) listed += (listed.empty() ? "" : ", ") + choice;
  fail(ErrorCode::config, place, ": ", key.name, " is \"", value, "\", expected one of ", listed,
       "; did you mean \"", nearest(value, choices), "\"?");
}

// The assignments by type; false where the value is of another one.
bool assign(std::string& field, const Given& given) {
  const auto* value = std::get_if<std::string>(&given);
  if (value != nullptr) field = *value;
  return value != nullptr;
}
template <class T>
bool assign(T& field, const Given& given) {
  if (const auto* text = std::get_if<std::string>(&given)) {
    if constexpr (std::is_same_v<T, bool>) {
      field = *text == "true";
      return field || *text == "false";
    } else {
      return parse(*text, field);
    }
  }
  if constexpr (std::is_same_v<T, double>)  // 1 is a number too
    if (const auto* integer = std::get_if<Index>(&given)) {
      field = static_cast<double>(*integer);
      return true;
    }
  const auto* value = std::get_if<T>(&given);
  if (value != nullptr) field = *value;
  return value != nullptr;
}

void set(Config& config, std::string_view place, const Key& key, const Given& given,
         const std::string& shown) {
  std::visit(
      [&](auto* field) {
        using T = std::remove_pointer_t<decltype(field)>;
        if (!assign(*field, given)) fail_value(place, key, shown);
        if constexpr (std::is_same_v<T, std::string>)
          check_choice(place, key, *field);
        else if constexpr (std::is_same_v<T, std::vector<Index>>)
          for (const Index item : *field) check_range(place, key, static_cast<double>(item));
        else if constexpr (!std::is_same_v<T, bool>)
          check_range(place, key, static_cast<double>(*field));
      },
      key.field(config));
}

// The number of steps, given over an earlier number of epochs, takes its place.
void prefer_steps(Config& config, const Key& key) {
  if (key.name == "train.steps") config.train.epochs = 0;
}

const Key* find_key(std::string_view name) {
  for (const Key& key : keys())
    if (key.name == name) return &key;
  return nullptr;
}

std::string_view nearest_key(std::string_view given) {
  std::vector<std::string_view> names;
  for (const Key& key : keys()) names.push_back(key.name);
  return nearest(given, names);
}

const Key& known_key(std::string_view place, std::string_view name) {
  if (const Key* key = find_key(name)) return *key;
  fail(ErrorCode::config, place, ": unknown key \"", name, "\"; did you mean \"", nearest_key(name),
       "\"? (`framefold keys` lists all)");
}

std::string place_of(const std::string& file, const toml::node& node) {
  return text(file, ":", node.source().begin.line);
}

Given given_of(const std::string& place, const Key& key, const toml::node& node,
               const std::string& shown) {
  if (const auto* value = node.as_string()) {
    if (type_name(key) != "text") fail_value(place, key, shown);  // "3" is no 3 in a file
    return value->get();
  }
  if (const auto* value = node.as_integer()) return value->get();
  if (const auto* value = node.as_floating_point()) return value->get();
  if (const auto* value = node.as_boolean()) return value->get();
  if (const auto* array = node.as_array()) {
    std::vector<Index> list;
    for (const toml::node& item : *array) {
      const auto* integer = item.as_integer();
      if (integer == nullptr) fail_value(place, key, shown);
      list.push_back(integer->get());
    }
    return list;
  }
  fail_value(place, key, shown);
}

template <class Node>
std::string shown(const Node& node) {
  std::ostringstream out;
  node.visit([&](const auto& value) {
    if constexpr (requires { out << value; }) out << value;
  });
  return out.str();
}

toml::table parse_toml(std::string_view content, const std::string& file) try {
  return toml::parse(content, file);
} catch (const toml::parse_error& error) {
  fail(ErrorCode::config, file, ":", error.source().begin.line, ":", error.source().begin.column,
       ": ", error.description());
}

const Preset* find_preset(std::string_view name) {
  for (const Preset& preset : presets())
    if (preset.name == name) return &preset;
  return nullptr;
}

[[noreturn]] void fail_preset(std::string_view place, std::string_view name) {
  std::vector<std::string_view> names;
  std::string listed;
  for (const Preset& preset : presets()) {
    names.push_back(preset.name);
    listed += (listed.empty() ? "" : ", ") + std::string(preset.name);
  }
  fail(ErrorCode::config, place, "no preset \"", name, "\", expected one of ", listed,
       "; did you mean \"", nearest(name, names), "\"?");
}

void apply_table(Config& config, const toml::table& table, const std::string& file) {
  if (const auto* node = table.get("preset")) {
    const auto* base = node->as_string();
    if (base == nullptr)
      fail(ErrorCode::config, place_of(file, *node), ": preset is ", shown(*node),
           ", expected a preset's name in quotes");
    const Preset* preset = find_preset(base->get());
    if (preset == nullptr) fail_preset(place_of(file, *node) + ": ", base->get());
    apply_table(config, parse_toml(preset->text, "preset " + base->get()), "preset " + base->get());
  }
  for (const auto& [section, content] : table) {
    if (section == "preset") continue;
    const auto* entries = content.as_table();
    if (entries == nullptr) {
      known_key(place_of(file, content), section.str());
    } else {
      for (const auto& [key_name, node] : *entries) {
        const std::string place = place_of(file, node);
        const Key& key = known_key(place, text(section.str(), ".", key_name.str()));
        const std::string seen = shown(node);
        if (!entries->contains("epochs")) prefer_steps(config, key);
        set(config, place, key, given_of(place, key, node, seen), seen);
      }
    }
  }
}

void apply_file(Config& config, const std::string& file) {
  if (const Preset* preset = find_preset(file)) {
    apply_table(config, parse_toml(preset->text, "preset " + file), "preset " + file);
    config.run.name = config.run.name.empty() ? file : config.run.name;
    return;
  }
  const fs::path path = file;
  if (fs::is_regular_file(path / "config.toml"))
    fail(ErrorCode::config, file, " is a run's folder, expected a preset's name or a TOML file; ",
         "take ", (path / "config.toml").string(), ", or go on with it by --resume ", file);
  if (!fs::exists(path) && !path.has_parent_path() && path.extension() != ".toml")
    fail_preset("", file);
  apply_table(config, parse_toml(read_file(path, 1 << 20), file), file);
  if (config.run.name.empty()) config.run.name = path.stem().string();
}

// Variables of our sections; others with our prefix mean something else.
void apply_environment(Config& config, const std::vector<std::string>& environment) {
  std::map<std::string, const Key*, std::less<>> variables;
  std::vector<std::string> prefixes;
  for (const Key& key : keys()) {
    variables.emplace(variable_name(key), &key);
    prefixes.push_back(text("FRAMEFOLD_", variable_name(key).substr(10, key.name.find('.')), "_"));
  }
  for (const std::string& entry : environment) {
    const std::string name = entry.substr(0, entry.find('='));
    if (std::none_of(prefixes.begin(), prefixes.end(),
                     [&](const std::string& prefix) { return name.rfind(prefix, 0) == 0; }))
      continue;
    const auto found = variables.find(name);
    if (found == variables.end()) {
      std::vector<std::string_view> names;
      for (const auto& [known, key] : variables) names.push_back(known);
      fail(ErrorCode::config, "environment: unknown variable ", name, "; did you mean ",
           nearest(name, names), "?");
    }
    const std::string value = entry.substr(std::min(entry.size(), name.size() + 1));
    prefer_steps(config, *found->second);
    set(config, "environment variable " + name, *found->second, value, '"' + value + '"');
  }
}

const Key& apply_set(Config& config, const std::string& assignment) {
  const std::size_t equals = assignment.find('=');
  if (equals == std::string::npos)
    fail(ErrorCode::config, "--set ", assignment, ": expected section.key=value");
  const Key& key = known_key("--set " + assignment, trimmed(assignment.substr(0, equals)));
  const std::string value = trimmed(assignment.substr(equals + 1));
  prefer_steps(config, key);
  set(config, "--set " + assignment, key, value, '"' + value + '"');
  return key;
}

}  // namespace

std::string_view Preset::summary() const {
  const std::string_view line = text.substr(0, text.find('\n'));
  return line.substr(std::min(line.size(), line.find_first_not_of("# ")));
}

std::string value_text(const Key& key, Config& config) {
  std::ostringstream out;
  std::visit(
      [&](const auto* field) {
        using T = std::remove_const_t<std::remove_pointer_t<decltype(field)>>;
        if constexpr (std::is_same_v<T, std::vector<Index>>) {
          out << '[';
          for (std::size_t i = 0; i < field->size(); ++i) out << (i > 0 ? ", " : "") << (*field)[i];
          out << ']';
        } else if constexpr (std::is_same_v<T, double>) {
          out << shortest(*field);
        } else if constexpr (std::is_same_v<T, std::string>) {
          out << quoted(*field);
        } else {
          out << toml::value<std::conditional_t<std::is_same_v<T, Index>, std::int64_t, T>>(*field);
        }
      },
      key.field(config));
  return out.str();
}

Config resolve(const ConfigSources& sources) {
  Config config;
  apply_file(config, sources.file);
  apply_environment(config, sources.environment);
  apply(config, sources.sets);
  return config;
}

void apply(Config& config, const std::vector<std::string>& sets) {
  for (const std::string& assignment : sets) apply_set(config, assignment);
}

Config resolve_resumed(const fs::path& file, const std::vector<std::string>& sets) {
  Config config;
  apply_table(config, parse_toml(read_file(file, 1 << 20), file.string()), file.string());
  for (const std::string& assignment : sets)
    if (const Key& key = apply_set(config, assignment); !key.on_resume)
      fail(ErrorCode::config, "--set ", assignment, ": ", key.name,
           " cannot change when a run is resumed; start a new run instead");
  return config;
}

std::vector<std::string> process_environment() {
  std::vector<std::string> entries;
  for (char** entry = environ; *entry != nullptr; ++entry) entries.emplace_back(*entry);
  return entries;
}

std::string to_toml(const Config& config, std::string_view heading) {
  Config copy = config;
  std::string out, section;
  if (!heading.empty()) out = text("# ", heading, "\n");
  for (const Key& key : keys()) {
    const std::size_t point = key.name.find('.');
    if (const std::string_view here = key.name.substr(0, point); here != section) {
      section = here;
      out += text(out.empty() ? "" : "\n", "[", section, "]\n");
    }
    std::string line = text(key.name.substr(point + 1), " = ", value_text(key, copy));
    line.resize(std::max<std::size_t>(line.size(), 28), ' ');
    out += text(line, "  # ", key.doc, "\n");
  }
  return out;
}

}  // namespace framefold

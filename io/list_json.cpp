// Lists in JSON: Something-Something's, and an object a line.
#include "io/file.h"
#include "io/json.h"
#include "io/list_parts.h"

namespace framefold::lists {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

// A text without NUL under `key`, empty where there is none.
std::string text_of(const Json& object, const char* key, const std::string& place) {
  const auto found = object.find(key);
  if (found == object.end()) return {};
  if (!found->is_string())
    fail(ErrorCode::format, place, ": \"", key, "\" is no text, expected one");
  std::string value = found->get<std::string>();
  if (value.size() > most_in_line || !is_utf8(value))
    fail(ErrorCode::format, place, ": \"", key, "\" is too long or holds a NUL");
  return value;
}

// Something-Something writes "Holding [something]", its classes "Holding something".
std::string without_brackets(std::string name) {
  std::erase_if(name, [](char c) { return c == '[' || c == ']'; });
  return name;
}

std::vector<std::string> read_classes(const std::string& path) {
  const Json json = parse_json(read_file(path, most_bytes), path);
  if (!json.is_object()) fail(ErrorCode::format, path, ": expected an object of classes");
  std::vector<std::string> classes(json.size());
  for (const auto& [name, value] : json.items()) {
    const auto number = value.is_string() ? to_integer(value.get_ref<const std::string&>())
                        : value.is_number_integer() ? std::optional<Index>(value.get<Index>())
                                                    : std::nullopt;
    const bool fits = number && *number >= 0 && *number < static_cast<Index>(classes.size());
    if (!fits || !classes[static_cast<std::size_t>(*number)].empty())
      fail(ErrorCode::format, path, ": \"", name, "\": expected each number from 0 to ",
           classes.size() - 1, " once");
    classes[static_cast<std::size_t>(*number)] = name;
  }
  return classes;
}

Labels ssv2_labels(const VideoList& list) {
  const fs::path directory = fs::absolute(list.path).parent_path();
  std::error_code error;
  for (const char* name : {"something-something-v2-labels.json", "labels.json"})
    if (fs::is_regular_file(directory / name, error))
      return Labels(read_classes((directory / name).string()));
  return {};
}

}  // namespace

void read_ssv2(const std::string& content, VideoList& list, const Places& places) {
  const Json json = parse_json(content, list.path);
  if (!json.is_array()) fail(ErrorCode::format, list.path, ": expected an array of videos");
  Labels labels = ssv2_labels(list);
  Index number = 0;
  for (const Json& video : json) {
    const std::string place = text(list.path, ": entry ", ++number);
    if (!video.is_object()) fail(ErrorCode::format, place, ": expected an object");
    const auto id_at = video.find("id");
    const bool whole = id_at != video.end() && id_at->is_number_unsigned();
    const std::string id = whole ? text(id_at->get<std::uint64_t>()) : text_of(video, "id", place);
    if (id.empty()) fail(ErrorCode::format, place, ": there is no \"id\"");
    const std::string name = without_brackets(text_of(video, "template", place));
    places.add({.label = name.empty() ? -1 : labels.named(name, place), .line = number},
               {id + ".webm", id + ".mp4", "20bn-something-something-v2/" + id + ".webm",
                "videos/" + id + ".webm"},
               place);
  }
  labels.settle(list);
}

void read_jsonl(Lines& lines, VideoList& list, const Places& places) {
  Labels labels;
  while (lines.next()) {
    const std::string place = text(list.path, ":", lines.number());
    const Json video = parse_json(lines.text(), place);
    if (!video.is_object()) fail(ErrorCode::format, place, ": expected an object");
    std::string path = text_of(video, "path", place);
    if (path.empty()) path = text_of(video, "video", place);
    if (path.empty()) fail(ErrorCode::format, place, ": there is neither \"path\" nor \"video\"");
    ListEntry entry{.line = lines.number()};
    if (const auto label = video.find("label"); label != video.end() && !label->is_null()) {
      if (label->is_number_integer())
        entry.label = labels.number(label->get<Index>(), place);
      else
        entry.label = labels.named(text_of(video, "label", place), place);
    }
    places.add(std::move(entry), {path}, place);
  }
  labels.settle(list);
}

}  // namespace framefold::lists

#include "io/lists.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <system_error>

#include "io/endings.h"
#include "io/file.h"
#include "io/list_parts.h"

namespace framefold {
namespace {

namespace fs = std::filesystem;
using lists::Lines;

constexpr std::array<std::string_view, 10> names = {"folders", "videomae", "videomae2", "rawframes",
                                                    "ucf101",  "kinetics", "ssv2",      "jsonl",
                                                    "tar",     "npy"};

void check(const std::error_code& error, const fs::path& path) {
  if (error)
    fail(ErrorCode::file, "cannot search ", path.string(), ": ", error.message(),
         "; check data.path and who may read it");
}

bool hidden(const fs::path& path) { return path.filename().string().starts_with('.'); }

// What lies in a directory, not hidden, in the order of names.
std::vector<fs::path> sorted_entries(const fs::path& directory) {
  std::error_code error;
  std::vector<fs::path> entries;
  fs::directory_iterator entry(directory, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error))
    if (!hidden(entry->path())) entries.push_back(entry->path());
  check(error, directory);
  std::sort(entries.begin(), entries.end());
  return entries;
}

void add_videos(VideoList& list, const fs::path& path, Index label) {
  std::error_code error;
  if (fs::is_directory(fs::symlink_status(path, error))) {
    for (const fs::path& entry : sorted_entries(path)) add_videos(list, entry, label);
  } else if (ends_in(video_endings, path) && fs::is_regular_file(path, error)) {
    list.entries.push_back({.path = path.string(), .label = label});
  }
}

// By the first lines of a text: how many integers end them, and whether the last is -1. Where most
// end with several, the few that do not are what is wrong with the list, which its parser says.
ListFormat detected_text(Lines& lines, const std::string& path) {
  std::size_t fewest = 3;
  Index several = 0;
  bool whole_video = false, small = true;
  Index read = 0;
  for (; read < 100 && lines.next(); ++read) {
    std::string_view rest = lines.text();
    const std::vector<Index> numbers = lists::take_integers(rest);
    if (numbers.size() != 1) fewest = std::min(fewest, numbers.size());
    if (numbers.size() >= 2) {
      ++several;
      whole_video = whole_video || numbers.back() == -1;
      small = small && numbers[numbers.size() - 2] <= 1;
    }
    if (numbers.empty())
      lines.fail("\"", lines.text(), "\" does not end with a label, expected \"PATH LABEL\", ",
                 "\"PATH 0 -1\" or \"DIRECTORY TOTAL LABEL\"; a list of another format needs its ",
                 "name (--list-format, data.list_format)");
  }
  lines.rewind();
  if (2 * several <= read) return ListFormat::videomae;
  if (whole_video) return ListFormat::videomae2;
  if (fewest == 2 && small)
    fail(ErrorCode::format, path, ": its lines may be \"DIRECTORY START TOTAL\" or \"DIRECTORY ",
         "TOTAL LABEL\"; name its format: videomae2 or rawframes (--list-format, ",
         "data.list_format)");
  return ListFormat::rawframes;
}

ListFormat detected(const fs::path& path) {
  std::string name = path.filename().string(), ending = path.extension().string();
  for (char& c : ending) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  std::error_code error;
  if (fs::is_directory(path, error)) return ListFormat::folders;
  if (ending == ".tar") return ListFormat::tar;
  if (ending == ".npy") return ListFormat::npy;
  if (ending == ".jsonl") return ListFormat::jsonl;
  if (ending == ".json") return ListFormat::ssv2;
  if (name.starts_with("trainlist") || name.starts_with("testlist")) return ListFormat::ucf101;
  return ending == ".csv" ? ListFormat::kinetics : ListFormat::videomae;  // or as its text says
}

}  // namespace

ListFormat list_format(std::string_view name) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) {
    std::string all;
    for (const std::string_view each : names) all += text(' ', each);
    fail(ErrorCode::argument, "there is no list format \"", name, "\", expected one of", all);
  }
  return static_cast<ListFormat>(found - names.begin());
}

std::string_view name_of(ListFormat format) { return names[static_cast<std::size_t>(format)]; }

Index VideoList::labels() const {
  auto count = static_cast<Index>(classes.size());
  for (const ListEntry& entry : entries) count = std::max(count, entry.label + 1);
  return count;
}

void lists::read_folders(VideoList& list) {
  for (const fs::path& entry : sorted_entries(list.path)) {
    std::error_code error;
    Index label = -1;
    if (fs::is_directory(fs::symlink_status(entry, error))) {
      label = static_cast<Index>(list.classes.size());
      list.classes.push_back(entry.filename().string());
    }
    const std::size_t before = list.entries.size();
    add_videos(list, entry, label);
    if (label >= 0 && list.entries.size() == before) list.classes.pop_back();
  }
}

VideoList read_list(const ListOptions& options) {
  VideoList list;
  list.path = options.path;
  const bool named = !options.format.empty();
  list.format = named ? list_format(options.format) : detected(options.path);
  std::error_code error;
  if (const bool folders = list.format == ListFormat::folders;
      folders != fs::is_directory(options.path, error))
    fail(ErrorCode::file, options.path, ": ",
         error     ? error.message()
         : folders ? "not a directory"
                   : "a directory, expected a list");
  const lists::Places places(options, list);
  switch (list.format) {
    case ListFormat::folders: lists::read_folders(list); break;
    case ListFormat::tar: lists::read_tar(list); break;
    case ListFormat::npy: lists::read_npy(list); break;
    default: {
      std::string content = read_file(options.path, lists::most_bytes);
      if (list.format == ListFormat::ssv2) {
        lists::read_ssv2(content, list, places);
        break;
      }
      Lines lines(options.path, std::move(content));
      if (!named && list.format == ListFormat::videomae)
        list.format = detected_text(lines, options.path);
      switch (list.format) {
        case ListFormat::videomae2: lists::read_videomae2(lines, list, places); break;
        case ListFormat::rawframes: lists::read_rawframes(lines, list, places); break;
        case ListFormat::ucf101: lists::read_ucf101(lines, list, places); break;
        case ListFormat::kinetics: lists::read_kinetics(lines, list, places); break;
        case ListFormat::jsonl: lists::read_jsonl(lines, list, places); break;
        default: lists::read_videomae(lines, list, places); break;
      }
    }
  }
  if (list.entries.empty())
    fail(ErrorCode::format, options.path, ": no video is listed (read as ", name_of(list.format),
         ")",
         list.missing.empty()
             ? ""
             : text("; the first that is missing: ", list.missing.front().message));
  return list;
}

std::vector<std::string> pictures_of(const ListEntry& entry) {
  std::vector<std::string> pictures;
  bool plain = false;  // img_00001.jpg beside flow_x_00001.jpg
  for (const fs::path& path : sorted_entries(entry.path)) {
    if (!ends_in(picture_endings, path)) continue;
    const bool image = path.filename().string().starts_with("img_");
    if (image && !plain) pictures.clear();
    plain = plain || image;
    if (image || !plain) pictures.push_back(path.string());
  }
  const auto number = [](const std::string& path) {
    const std::string stem = fs::path(path).stem().string();
    return lists::to_integer(stem.substr(stem.find_last_not_of("0123456789") + 1)).value_or(-1);
  };
  const auto begin = std::find_if(pictures.begin(), pictures.end(), [&](const std::string& path) {
    return entry.first < 0 || number(path) >= entry.first;
  });
  pictures.erase(pictures.begin(), begin);
  if (const auto count = static_cast<Index>(pictures.size());
      count == 0 || (entry.frames > 0 && count < entry.frames))
    fail(ErrorCode::format, entry.path, ": there are ", count, " pictures",
         entry.first >= 0 ? text(" from number ", entry.first, " on") : "", ", the list says ",
         entry.frames > 0 ? text(entry.frames) : "at least 1");
  if (entry.frames > 0) pictures.resize(static_cast<std::size_t>(entry.frames));
  return pictures;
}

}  // namespace framefold

// Lists of a path and numbers a line, and their like.
#include <algorithm>

#include "io/file.h"
#include "io/list_parts.h"

namespace framefold::lists {
namespace {

namespace fs = std::filesystem;

// The file of that name beside the list or in the directory above, which may be absent.
std::string beside(const VideoList& list, const std::string& name) {
  const fs::path directory = fs::absolute(list.path).parent_path();
  std::error_code error;
  for (const fs::path& path : {directory / name, directory.parent_path() / name})
    if (fs::is_regular_file(path, error)) return path.string();
  return {};
}

std::vector<std::string> read_class_ind(const std::string& path) {
  std::vector<std::string> classes;
  Lines lines(path, read_file(path, most_bytes));
  while (lines.next()) {
    const std::string_view text = lines.text();
    const std::size_t end = text.find_first_of(" \t");
    if (end == std::string_view::npos ||
        to_integer(text.substr(0, end)) != static_cast<Index>(classes.size()) + 1)
      lines.fail("\"", text, "\" is not \"", classes.size() + 1, " NAME\"");
    classes.emplace_back(trimmed(text.substr(end)));
  }
  return classes;
}

std::string place(const VideoList& list, const Lines& lines) {
  return text(list.path, ":", lines.number());
}

// Kinetics' csv has fields in quotes where they hold commas.
std::vector<std::string> fields_of(const Lines& lines) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  const std::string_view text = lines.text();
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') {
      if (quoted && i + 1 < text.size() && text[i + 1] == '"')
        fields.back() += text[++i];
      else
        quoted = !quoted;
    } else if (text[i] == ',' && !quoted) {
      fields.emplace_back();
    } else {
      fields.back() += text[i];
    }
  }
  if (quoted) lines.fail("a quotation mark is not closed");
  return fields;
}

std::string six_digits(Index number) {
  const std::string digits = text(number);
  return std::string(6 - std::min<std::size_t>(6, digits.size()), '0') + digits;
}

}  // namespace

void read_videomae(Lines& lines, VideoList& list, const Places& places) {
  Labels labels;
  while (lines.next()) {
    std::string_view path = lines.text();
    const auto last = take_last(path);
    const auto label = last ? to_integer(*last) : std::nullopt;
    if (!label) lines.fail("\"", lines.text(), "\" is not \"PATH LABEL\"");
    places.add({.label = labels.number(*label, place(list, lines)), .line = lines.number()},
               {std::string(path)}, place(list, lines));
  }
}

void read_videomae2(Lines& lines, VideoList& list, const Places& places) {
  while (lines.next()) {
    std::string_view path = lines.text();
    const auto total = take_last(path), start = take_last(path);
    const auto first = start ? to_integer(*start) : std::nullopt;
    const auto frames = total ? to_integer(*total) : std::nullopt;
    if (!first || !frames || *first < 0 || (*frames < 1 && *frames != -1))
      lines.fail("\"", lines.text(), "\" is not \"PATH 0 -1\" nor \"DIRECTORY START TOTAL\"");
    ListEntry entry{.line = lines.number()};
    if (*frames > 0) {
      entry.kind = ListEntry::Kind::pictures;
      entry.first = *first;
      entry.frames = *frames;
    }
    places.add(std::move(entry), {std::string(path)}, place(list, lines));
  }
}

void read_rawframes(Lines& lines, VideoList& list, const Places& places) {
  Labels labels;
  while (lines.next()) {
    std::string_view path = lines.text();
    const std::vector<Index> numbers = take_integers(path);
    const std::size_t count = numbers.size();
    if (count < 2 || numbers[count - 2] < 1 || (count == 3 && numbers[0] < 0))
      lines.fail("\"", lines.text(), "\" is not \"DIRECTORY [START] TOTAL LABEL\"");
    places.add({.kind = ListEntry::Kind::pictures,
                .label = labels.number(numbers.back(), place(list, lines)),
                .first = count == 3 ? numbers[0] : -1,
                .frames = numbers[count - 2],
                .line = lines.number()},
               {std::string(path)}, place(list, lines));
  }
}

void read_ucf101(Lines& lines, VideoList& list, const Places& places) {
  const std::string names = beside(list, "classInd.txt");
  if (!names.empty()) list.classes = read_class_ind(names);
  const auto count = static_cast<Index>(list.classes.size());
  while (lines.next()) {
    std::string_view path = lines.text();
    const std::vector<Index> numbers = take_integers(path);
    const std::string folder(path.substr(0, path.find('/')));
    const auto found = std::find(list.classes.begin(), list.classes.end(), folder);
    const Index at = found - list.classes.begin();
    if (numbers.size() > 1) lines.fail("\"", lines.text(), "\" is not \"PATH [LABEL]\"");
    if (numbers.empty() && at == count)
      lines.fail("\"", lines.text(), "\" has no label, and ",
                 names.empty() ? "there is no classInd.txt beside the list"
                               : "no class of classInd.txt is called \"" + folder + "\"");
    const Index label = numbers.empty() ? at : numbers[0] - 1;
    if (label < 0 || label >= (count > 0 ? count : most_labels))
      lines.fail("the label is ", label + 1, ", expected 1 to ", count > 0 ? count : most_labels);
    if (at < count && at != label)
      lines.fail("the label is ", label + 1, ", but classInd.txt says ", at + 1, " for ", folder);
    const std::string file(path);
    places.add({.label = label, .line = lines.number()},
               {file, "UCF-101/" + file, "../UCF-101/" + file, "videos/" + file,
                file.substr(file.find('/') + 1)},
               place(list, lines));
  }
}

void read_kinetics(Lines& lines, VideoList& list, const Places& places) {
  Labels labels;
  Index label_at = -1, id_at = -1, start_at = -1, end_at = -1, split_at = -1, columns = 0;
  while (lines.next()) {
    const std::vector<std::string> fields = fields_of(lines);
    const auto field = [&](Index at) { return at < 0 ? "" : fields[static_cast<std::size_t>(at)]; };
    if (columns == 0) {
      columns = static_cast<Index>(fields.size());
      for (Index i = 0; i < columns; ++i) {
        const std::string& name = fields[static_cast<std::size_t>(i)];
        if (name == "label") label_at = i;
        if (name == "youtube_id") id_at = i;
        if (name == "time_start") start_at = i;
        if (name == "time_end") end_at = i;
        if (name == "split") split_at = i;
      }
      if (id_at >= 0 && start_at >= 0 && end_at >= 0) continue;
      if (columns != 2 || id_at >= 0)
        lines.fail("\"", lines.text(), "\" is neither \"PATH,LABEL\" nor a heading with ",
                   "youtube_id, time_start and time_end");
    }
    if (static_cast<Index>(fields.size()) != columns)
      lines.fail("there are ", fields.size(), " fields, expected ", columns);
    const std::string here = place(list, lines);
    ListEntry entry{.line = lines.number()};
    if (id_at < 0) {
      const auto number = to_integer(trimmed(fields[1]));
      entry.label = number ? labels.number(*number, here) : labels.named(fields[1], here);
      places.add(std::move(entry), {fields[0]}, here);
      continue;
    }
    const auto start = to_integer(field(start_at)), end = to_integer(field(end_at));
    if (!start || !end || *start < 0 || *end <= *start)
      lines.fail("the times are \"", field(start_at), "\" and \"", field(end_at),
                 "\", expected whole seconds, the first before the second");
    const std::string label = field(label_at), split = field(split_at), id = field(id_at);
    if (!label.empty()) entry.label = labels.named(label, here);
    std::string joined = label;
    std::replace(joined.begin(), joined.end(), ' ', '_');
    const std::string cut = id + "_" + six_digits(*start) + "_" + six_digits(*end);
    std::vector<std::string> candidates;
    for (const std::string& base : {std::string(), split + "/"})
      for (const std::string& folder : {label + "/", joined + "/", std::string()})
        for (const std::string& stem : {cut, id})
          for (const char* ending : {".mp4", ".mkv", ".webm"})
            candidates.push_back((base == "/" ? "" : base) + (folder == "/" ? "" : folder) + stem +
                                 ending);
    places.add(std::move(entry), candidates, here);
  }
  labels.settle(list);
}

}  // namespace framefold::lists

#include "io/list_parts.h"

#include <algorithm>
#include <charconv>
#include <system_error>

namespace framefold::lists {
namespace {

namespace fs = std::filesystem;

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r'; }

}  // namespace

Lines::Lines(std::string path, std::string content)
    : path_(std::move(path)), content_(std::move(content)) {
  if (content_.starts_with("\xEF\xBB\xBF")) content_.erase(0, 3);
}

bool Lines::next() {
  while (at_ < content_.size()) {
    const std::size_t end = std::min(content_.find('\n', at_), content_.size());
    text_ = std::string_view(content_).substr(at_, end - at_);
    at_ = end + 1;
    ++number_;
    if (text_.size() > most_in_line)
      fail("the line has ", text_.size(), " bytes, expected at most ", most_in_line);
    if (!is_utf8(text_)) fail("the line is no UTF-8 text; convert the list to UTF-8");
    text_ = trimmed(text_);
    if (!text_.empty()) return true;
  }
  return false;
}

bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = [&](std::size_t at) {
      return at < text.size() ? static_cast<unsigned char>(text[at]) : 0U;
    };
    const unsigned first = byte(i);
    if (first == 0) return false;
    if (first < 0x80) {
      ++i;
      continue;
    }
    const std::size_t more = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : 1;
    if (first < 0xC2 || first > 0xF4) return false;
    unsigned point = first & (0x3FU >> more);
    for (std::size_t k = 1; k <= more; ++k) {
      if ((byte(i + k) & 0xC0U) != 0x80) return false;
      point = point << 6 | (byte(i + k) & 0x3FU);
    }
    if ((more == 2 && point < 0x800) || (more == 3 && (point < 0x10000 || point > 0x10FFFF)) ||
        (point >= 0xD800 && point < 0xE000))
      return false;
    i += more + 1;
  }
  return true;
}

std::optional<Index> to_integer(std::string_view text) {
  Index value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  return text;
}

std::optional<std::string_view> take_last(std::string_view& text) {
  std::size_t begin = text.size();
  while (begin > 0 && !is_space(text[begin - 1])) --begin;
  if (begin == 0) return std::nullopt;
  const std::string_view word = text.substr(begin);
  text = trimmed(text.substr(0, begin));
  return word;
}

std::vector<Index> take_integers(std::string_view& text) {
  std::vector<Index> integers;
  while (integers.size() < 3) {
    std::string_view rest = text;
    const auto word = take_last(rest);
    const auto integer = word ? to_integer(*word) : std::nullopt;
    if (!integer) break;
    integers.insert(integers.begin(), *integer);
    text = rest;
  }
  return integers;
}

Places::Places(const ListOptions& options, VideoList& list)
    : root_(options.root.empty() ? fs::path(list.path).parent_path() : fs::path(options.root)),
      skip_missing_(options.skip_missing),
      list_(list) {}

void Places::add(ListEntry entry, const std::vector<std::string>& candidates,
                 const std::string& place) const {
  const bool directory = entry.kind == ListEntry::Kind::pictures;
  for (const std::string& candidate : candidates) {
    const fs::path path = root_ / fs::path(candidate);  // an absolute candidate stays itself
    std::error_code error;
    if (directory ? fs::is_directory(path, error) : fs::is_regular_file(path, error)) {
      entry.path = path.string();
      list_.entries.push_back(std::move(entry));
      return;
    }
  }
  std::string path = (root_ / fs::path(candidates.front())).string();
  std::string message =
      text(place, ": there is no ", directory ? "directory " : "file ", path,
           candidates.size() > 1 ? text(", nor at ", candidates.size() - 1, " other places") : "");
  if (!skip_missing_)
    fail(ErrorCode::format, message,
         "; name the directory that paths begin at (data.list_root), or leave out what is missing "
         "(data.on_bad=skip)");
  list_.missing.push_back({std::move(path), std::move(message)});
}

Labels::Labels(const std::vector<std::string>& classes) : fixed_(true) {
  for (const std::string& name : classes) names_.emplace(name, static_cast<Index>(names_.size()));
}

Index Labels::number(Index label, const std::string& place) {
  if (label < 0 || label >= most_labels)
    fail(ErrorCode::format, place, ": the label is ", label, ", expected 0 to ", most_labels - 1);
  if (!names_.empty() && !fixed_)
    fail(ErrorCode::format, place, ": the label is a number, those before it are names");
  numbers_ = true;
  return label;
}

Index Labels::named(const std::string& name, const std::string& place) {
  if (numbers_) fail(ErrorCode::format, place, ": the label is a name, those before are numbers");
  const auto found = names_.find(name);
  if (found != names_.end()) return found->second;
  if (fixed_)
    fail(ErrorCode::format, place, ": there is no class \"", name, "\" in the list of classes");
  if (static_cast<Index>(names_.size()) == most_labels)
    fail(ErrorCode::format, place, ": more than ", most_labels, " classes");
  return names_.emplace(name, static_cast<Index>(names_.size())).first->second;
}

void Labels::settle(VideoList& list) {
  std::vector<std::pair<std::string, Index>> sorted(names_.begin(), names_.end());
  std::sort(sorted.begin(), sorted.end(), [&](const auto& a, const auto& b) {
    return fixed_ ? a.second < b.second : a.first < b.first;
  });
  std::vector<Index> numbers(sorted.size());
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    numbers[static_cast<std::size_t>(sorted[i].second)] = static_cast<Index>(i);
    list.classes.push_back(sorted[i].first);
  }
  if (numbers_) return;
  for (ListEntry& entry : list.entries)
    if (entry.label >= 0) entry.label = numbers[static_cast<std::size_t>(entry.label)];
}

}  // namespace framefold::lists

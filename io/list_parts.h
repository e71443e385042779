// What the parsers of lists share (io/lists.h). Each appends to a list whose path is set.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "io/lists.h"
#include "kernels/error.h"

namespace framefold::lists {

constexpr Index most_labels = Index{1} << 20;
constexpr Bytes most_bytes = Bytes{1} << 30;  // of a list
constexpr std::size_t most_in_line = std::size_t{1} << 16;

// A list's lines without their ends; empty ones are passed over.
class Lines {
 public:
  Lines(std::string path, std::string content);
  bool next();
  std::string_view text() const { return text_; }
  Index number() const { return number_; }
  void rewind() { at_ = 0, number_ = 0; }
  template <class... Parts>
  [[noreturn]] void fail(const Parts&... parts) const {
    framefold::fail(ErrorCode::format, path_, ":", number_, ": ", parts...);
  }

 private:
  std::string path_, content_;
  std::size_t at_ = 0;
  std::string_view text_;
  Index number_ = 0;
};

bool is_utf8(std::string_view text);  // without NUL
std::optional<Index> to_integer(std::string_view text);
std::string_view trimmed(std::string_view text);
// Takes the last word off; nothing where there is one word only.
std::optional<std::string_view> take_last(std::string_view& text);
// The last words that are integers, at most three, in their order; a first word stays.
std::vector<Index> take_integers(std::string_view& text);

// Where entries' files are looked for, and what becomes of those that are not there.
class Places {
 public:
  Places(const ListOptions& options, VideoList& list);
  const std::filesystem::path& root() const { return root_; }
  // Appends the entry with the first of `candidates` that exists; none: an error or `missing`.
  void add(ListEntry entry, const std::vector<std::string>& candidates,
           const std::string& place) const;

 private:
  std::filesystem::path root_;
  bool skip_missing_;
  VideoList& list_;
};

// Labels given as numbers or as names: all of one list are of the same sort.
class Labels {
 public:
  Labels() = default;
  explicit Labels(const std::vector<std::string>& classes);  // in their order, no others
  Index number(Index label, const std::string& place);
  Index named(const std::string& name, const std::string& place);
  // Renumbers the names met in their order, in all entries of the list, and hands them over.
  void settle(VideoList& list);

 private:
  std::unordered_map<std::string, Index> names_;
  bool fixed_ = false, numbers_ = false;
};

void read_folders(VideoList& list);
void read_videomae(Lines& lines, VideoList& list, const Places& places);
void read_videomae2(Lines& lines, VideoList& list, const Places& places);
void read_rawframes(Lines& lines, VideoList& list, const Places& places);
void read_ucf101(Lines& lines, VideoList& list, const Places& places);
void read_kinetics(Lines& lines, VideoList& list, const Places& places);
void read_jsonl(Lines& lines, VideoList& list, const Places& places);
void read_ssv2(const std::string& content, VideoList& list, const Places& places);
void read_tar(VideoList& list);
void read_npy(VideoList& list);

}  // namespace framefold::lists

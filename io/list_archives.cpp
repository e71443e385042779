// Lists inside of the data itself: tar files by their headers, arrays of numpy.
#include <algorithm>
#include <array>
#include <cstring>

#include "io/endings.h"
#include "io/file.h"
#include "io/json.h"
#include "io/list_parts.h"

namespace framefold::lists {
namespace {

constexpr std::uint64_t block = 512;
constexpr Bytes most_text = Bytes{1} << 20;  // of a member that is read: names, classes
constexpr Index most_members = Index{1} << 26;

using Header = std::array<char, block>;

std::string_view text_at(const Header& header, std::size_t at, std::size_t length) {
  const std::string_view field(header.data() + at, length);
  return field.substr(0, field.find('\0'));
}

// Octal digits, or big-endian bytes after 0x80 (GNU).
std::optional<std::uint64_t> number_at(const Header& header, std::size_t at, std::size_t length) {
  std::uint64_t value = 0;
  if (static_cast<unsigned char>(header[at]) == 0x80) {
    for (std::size_t i = 1; i < length; ++i) {
      if (value >> 55 != 0) return std::nullopt;
      value = value << 8 | static_cast<unsigned char>(header[at + i]);
    }
    return value;
  }
  for (std::size_t i = 0; i < length; ++i) {
    const char c = header[at + i];
    if (c == '\0' || c == ' ') continue;
    if (c < '0' || c > '7') return std::nullopt;
    value = value << 3 | static_cast<std::uint64_t>(c - '0');
  }
  return value;
}

bool sums_up(const Header& header) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < block; ++i)
    sum += i >= 148 && i < 156 ? std::uint64_t{' '} : static_cast<unsigned char>(header[i]);
  return number_at(header, 148, 8) == sum;
}

// The value of "path" among pax's "LENGTH KEY=VALUE\n".
std::string pax_path(std::string_view records) {
  std::string path;
  while (!records.empty()) {
    const std::size_t space = records.find(' ');
    if (space == std::string_view::npos) break;
    const auto length = to_integer(records.substr(0, space));
    if (!length || *length <= static_cast<Index>(space) + 1 ||
        *length > static_cast<Index>(records.size()))
      break;
    const auto end = static_cast<std::size_t>(*length);
    const std::string_view record = records.substr(space + 1, end - space - 2);
    if (record.starts_with("path=")) path = record.substr(5);
    records.remove_prefix(end);
  }
  return path;
}

struct Member {
  std::string name;
  std::uint64_t offset = 0, bytes = 0;
};

class Tar {
 public:
  explicit Tar(const std::string& path) : file_(path) {}

  std::optional<Member> next() {
    std::string long_name;
    while (true) {
      Header header{};
      if (at_ + block > file_.size()) {
        if (at_ == file_.size() && at_ > 0) return std::nullopt;  // some writers leave out the end
        fail("the file ends within a header; copy it again");
      }
      file_.read(at_, header.data(), block);
      if (std::all_of(header.begin(), header.end(), [](char c) { return c == 0; }))
        return std::nullopt;
      const auto bytes = number_at(header, 124, 12);
      if (!sums_up(header) || !bytes) fail("there is no tar header");
      if (*bytes > file_.size() - at_ - block) fail("the file ends within a member");
      Member member{std::string(text_at(header, 0, 100)), at_ + block, *bytes};
      const std::string_view prefix = text_at(header, 345, 155);
      if (text_at(header, 257, 5) == "ustar" && !prefix.empty())
        member.name = std::string(prefix) + "/" + member.name;
      at_ = member.offset + (*bytes + block - 1) / block * block;
      const char type = header[156];
      if (type == 'L') {
        long_name = content(member);
        long_name = long_name.substr(0, long_name.find('\0'));
      } else if (type == 'x') {
        long_name = pax_path(content(member));
      } else if (type == '0' || type == '\0') {
        if (!long_name.empty()) member.name = long_name;
        if (member.name.size() > most_in_line || !is_utf8(member.name))
          fail("a member's name is too long or no UTF-8");
        return member;
      } else {
        long_name.clear();
      }
    }
  }

  std::string content(const Member& member) const {
    if (member.bytes > most_text) fail("\"", member.name, "\" has ", member.bytes, " bytes");
    std::string content(member.bytes, '\0');
    file_.read(member.offset, content.data(), content.size());
    return content;
  }

  template <class... Parts>
  [[noreturn]] void fail(const Parts&... parts) const {
    framefold::fail(ErrorCode::format, file_.path().string(), " at byte ", at_, ": ", parts...);
  }

 private:
  InputFile file_;
  std::uint64_t at_ = 0;
};

Index label_in(const std::string& content, bool json, Labels& labels, const std::string& place) {
  std::string name(trimmed(content.substr(0, content.find('\n'))));
  if (json) {
    const auto object = parse_json(content, place);
    if (!object.is_object()) fail(ErrorCode::format, place, ": no JSON object");
    const auto label = object.find("label");
    if (label == object.end()) return -1;
    if (label->is_number_integer()) return labels.number(label->get<Index>(), place);
    if (!label->is_string()) fail(ErrorCode::format, place, ": \"label\" is no number or text");
    name = label->get<std::string>();
  }
  if (name.empty() || !is_utf8(name)) fail(ErrorCode::format, place, ": the class is no text");
  const auto number = to_integer(name);
  return number && !json ? labels.number(*number, place) : labels.named(name, place);
}

}  // namespace

void read_tar(VideoList& list) {
  Tar tar(list.path);
  Labels labels;
  std::string key;
  Index label = -1;
  std::optional<ListEntry> video;
  const auto finish = [&] {
    if (video) {
      video->label = label;
      list.entries.push_back(std::move(*video));
    }
    video.reset();
    label = -1;
  };
  Index members = 0;
  while (const auto member = tar.next()) {
    if (++members > most_members) tar.fail("more than ", most_members, " members");
    const std::size_t slash = member->name.rfind('/') + 1;  // 0 where there is none
    const std::size_t dot = std::min(member->name.find('.', slash), member->name.size());
    const std::string ending = member->name.substr(dot);
    if (dot == slash) continue;  // hidden
    if (members == 1 || member->name.compare(0, dot, key) != 0) finish();
    key = member->name.substr(0, dot);
    const std::string place = list.path + ": " + member->name;
    if (ending == ".cls" || ending == ".json") {
      const Index read = label_in(tar.content(*member), ending == ".json", labels, place);
      if (read >= 0) label = read;
    } else if (ends_in(video_endings, member->name)) {
      if (video) fail(ErrorCode::format, place, ": a sample has two videos");
      video = ListEntry{.kind = ListEntry::Kind::member,
                        .path = list.path,
                        .name = place,
                        .offset = member->offset,
                        .bytes = member->bytes};
    }
  }
  finish();
  labels.settle(list);
}

void read_npy(VideoList& list) {
  const InputFile file(list.path);
  std::array<unsigned char, 12> start{};
  if (file.size() < start.size()) fail(ErrorCode::format, list.path, ": too short for an array");
  file.read(0, start.data(), start.size());
  const bool old = start[6] == 1;
  std::uint64_t length = 0;
  for (std::size_t i = old ? 9 : 11; i >= 8; --i) length = length << 8U | start[i];
  const std::uint64_t begin = old ? 10 : 12;
  if (std::memcmp(start.data(), "\x93NUMPY", 6) != 0 || start[6] < 1 || start[6] > 3 ||
      length > most_in_line || length > file.size() - begin)
    fail(ErrorCode::format, list.path, ": no array of numpy (.npy)");
  std::string header(length, '\0');
  file.read(begin, header.data(), length);
  const bool bytes = header.find("'descr': '|u1'") != std::string::npos;
  const bool rows = header.find("'fortran_order': False") != std::string::npos;
  std::vector<Index> shape;
  std::size_t at = header.find("'shape': (");
  for (at = at == std::string::npos ? header.size() : at + 10; at < header.size();) {
    const std::size_t end = std::min(header.find_first_of(",)", at), header.size());
    const auto extent = to_integer(trimmed(std::string_view(header).substr(at, end - at)));
    if (!extent || *extent < 1 || *extent > most_members) break;
    shape.push_back(*extent);
    at = end + 1;
    if (end < header.size() && header[end] == ')') break;
  }
  if (!bytes || !rows || shape.size() != 4)
    fail(ErrorCode::format, list.path, ": expected u8 [T, N, H, W] in C order, the header says ",
         header.substr(0, 200));
  std::uint64_t values = 1;
  for (const Index extent : shape) {
    if (values > file.size()) break;
    values *= static_cast<std::uint64_t>(extent);
  }
  if (values != file.size() - begin - length)
    fail(ErrorCode::format, list.path, ": the array has ", file.size() - begin - length,
         " bytes, its header says ", values, "; copy it again");
  const std::uint64_t frame = static_cast<std::uint64_t>(shape[2] * shape[3]);
  list.frame = {shape[2], shape[3]};
  for (Index i = 0; i < shape[1]; ++i)
    list.entries.push_back({.kind = ListEntry::Kind::array,
                            .path = list.path,
                            .name = text(list.path, " clip ", i),
                            .frames = shape[0],
                            .offset = begin + length + static_cast<std::uint64_t>(i) * frame,
                            .bytes = frame * static_cast<std::uint64_t>(shape[1])});
}

}  // namespace framefold::lists

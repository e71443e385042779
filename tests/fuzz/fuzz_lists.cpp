// libFuzzer target: any bytes given to the readers of lists end in an Error or in entries that
// exist. The first byte says which reader gets the others.
#include <array>

#include "io/list_parts.h"
#include "io/lists.h"
#include "tests/fuzz/fuzz.h"

namespace framefold {
namespace {

using fuzz::require;

struct Reader {
  const char* name;    // the file that the bytes become
  const char* format;  // empty: detected
  const char* list;    // the file that is read, where it is another one
};
constexpr std::array readers = {Reader{"a.txt", "videomae", ""},
                                Reader{"a.txt", "videomae2", ""},
                                Reader{"a.txt", "rawframes", ""},
                                Reader{"a.txt", "", ""},
                                Reader{"trainlist01.txt", "ucf101", ""},
                                Reader{"ucf/classInd.txt", "ucf101", "ucf/testlist01.txt"},
                                Reader{"a.csv", "kinetics", ""},
                                Reader{"a.json", "ssv2", ""},
                                Reader{"ssv2/labels.json", "ssv2", "ssv2/a.json"},
                                Reader{"a.jsonl", "jsonl", ""},
                                Reader{"a.tar", "tar", ""},
                                Reader{"a.npy", "npy", ""}};

// Videos and pictures that lists can name; none is opened.
void make_files() {
  const TemporaryDirectory& folder = fuzz::folder();
  for (const char* name : {"v.mp4", "1.webm", "x/v.mp4", "x_000000_000001.mp4", "d/img_1.jpg",
                           "d/img_2.jpg", "d/flow_1.jpg", "ucf/A/v.mp4", "ssv2/1.webm"})
    folder.write(name, "");
  folder.write("ucf/testlist01.txt", "A/v.mp4\n");
  folder.write("ssv2/a.json", R"([{"id": 1, "template": "A [b]"}])");
}

void check(const VideoList& list, std::size_t size) {
  require(!list.entries.empty());
  for (const ListEntry& entry : list.entries) {
    require(entry.label >= -1 && entry.label < std::max<Index>(1, list.labels()));
    require(!entry.shown().empty() && lists::is_utf8(entry.shown()));
    if (entry.kind == ListEntry::Kind::member)
      require(entry.offset <= size && entry.bytes <= size - entry.offset);
    if (entry.kind == ListEntry::Kind::array) {
      const auto frame = static_cast<std::uint64_t>(list.frame[0] * list.frame[1]);
      require(entry.frames > 0 && frame > 0 && entry.offset <= size);
      require(static_cast<std::uint64_t>(entry.frames - 1) <= size / entry.bytes);
      require(entry.offset + static_cast<std::uint64_t>(entry.frames - 1) * entry.bytes + frame <=
              size);
    }
    if (entry.kind == ListEntry::Kind::pictures)
      fuzz::only_errors([&] { require(!pictures_of(entry).empty()); });
  }
}

}  // namespace
}  // namespace framefold

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace framefold;
  static const bool made = (make_files(), true);
  if (!made || size == 0) return 0;
  const Reader& reader = readers[data[0] % readers.size()];
  const TemporaryDirectory& folder = fuzz::folder();
  folder.write(reader.name, std::string(data + 1, data + size));
  const std::string list = *reader.list != 0 ? reader.list : reader.name;
  fuzz::only_errors([&] {
    check(read_list({.path = (folder / list).string(),
                     .format = reader.format,
                     .skip_missing = data[0] >= 128}),
          size - 1);
  });
  return 0;
}

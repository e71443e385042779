// libFuzzer target: any bytes in place of a packed folder's index end in an Error or in videos that
// can be read. Most inputs are the index's content, which gets the hashes that fit it.
#include <xxhash.h>

#include <nlohmann/json.hpp>

#include "io/shards.h"
#include "tests/fuzz/fuzz.h"

namespace framefold {
namespace {

using Json = nlohmann::ordered_json;
using fuzz::require;

const std::string& shard() {
  static const std::string bytes = [] {
    std::string made;
    for (int i = 0; i < 4096; ++i) made += static_cast<char>(i * 7);
    return made;
  }();
  return bytes;
}

std::string hex(std::string_view bytes) {
  char digits[17];
  std::snprintf(digits, sizeof digits, "%016llx",
                static_cast<unsigned long long>(XXH3_64bits(bytes.data(), bytes.size())));
  return digits;
}

// The hash of the frames that a record means, where it means some.
void hash_record(Json& record, std::uint64_t frame) {
  if (!record.is_object() || !record.contains("offset") || !record.contains("frames")) return;
  const Json &offset = record["offset"], &frames = record["frames"];
  if (!offset.is_number_unsigned() || !frames.is_number_unsigned()) return;
  const auto first = offset.get<std::uint64_t>(), count = frames.get<std::uint64_t>();
  if (first > shard().size() || frame == 0 || count > shard().size()) return;
  record["hash"] = hex(std::string_view(shard()).substr(first, count * frame));
}

std::string hashed(std::string_view bytes) {
  Json content = Json::parse(bytes, nullptr, false);
  if (content.is_discarded()) return std::string(bytes);
  std::uint64_t frame = 1;
  for (const char* side : {"height", "width", "channels"}) {
    const bool small = content.is_object() && content.contains(side) &&
                       content[side].is_number_unsigned() &&
                       content[side].get<std::uint64_t>() <= shard().size();
    frame = small ? frame * content[side].get<std::uint64_t>() : 0;
  }
  if (content.is_object() && content.contains("videos") && content["videos"].is_array())
    for (Json& record : content["videos"]) hash_record(record, frame);
  try {
    const std::string text = content.dump();
    return Json{{"hash", hex(text)}, {"content", content}}.dump();
  } catch (const Json::exception&) {  // text that is no UTF-8
    return std::string(bytes);
  }
}

}  // namespace
}  // namespace framefold

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace framefold;
  if (size == 0) return 0;
  const TemporaryDirectory& folder = fuzz::folder();
  static const bool made = (folder.write("shard-00000.u8", shard()), true);
  const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  folder.write("index.json", made && data[0] % 16 != 0 ? hashed(bytes) : std::string(bytes));
  fuzz::only_errors([&] {
    const auto set = open_shards(folder.path().string());
    require(set->size() > 0 && !set->description().empty());
    for (Index i = 0; i < set->size(); ++i)
      fuzz::only_errors([&] {
        const auto video = set->open(i);
        require(video->frames() > 0 && video->height() > 0 && video->width() > 0);
        std::uint8_t pixels[2 * 4 * 4 * 3];
        const std::vector<Index> frames{0, video->frames() - 1};
        const auto read = [&](Index channels) {
          video->read(frames, {0, 0, video->height(), video->width()},
                      {pixels, DType::u8, {2, 4, 4, channels}});
        };
        try {
          read(3);
        } catch (const Error& error) {
          require(error.code() == ErrorCode::shape);
          read(1);
        }
      });
  });
  return 0;
}

// libFuzzer target: any bytes taken for a kept index of a video are refused, or are one that can
// be used and written again. Most inputs get the hash that fits them.
#include <xxhash.h>

#include <cmath>

#include "io/video_index.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace framefold;
  using fuzz::require;
  const FileStamp file{1, 2};
  static const std::string empty = encode_index({}, file);
  // A mark, the hash of what follows, the stamp.
  constexpr std::size_t hash_bytes = 8, stamp_bytes = 16;
  static const std::size_t mark = empty.find(std::string("\1\0\0\0\0\0\0\0\2", 9)) - hash_bytes;
  std::string bytes(data, data + size);
  if (size > 0 && data[0] % 16 != 0) {
    const std::string body = empty.substr(mark + hash_bytes, stamp_bytes) + bytes.substr(1);
    const std::uint64_t hash = XXH3_64bits(body.data(), body.size());
    bytes = empty.substr(0, mark);
    bytes.append(reinterpret_cast<const char*>(&hash), sizeof hash);
    bytes += body;
  }
  VideoIndex index, again;
  if (!decode_index(bytes, file, index)) return 0;
  for (const VideoFrame& frame : index.frames)
    require(frame.packet >= 0 && frame.packet < static_cast<Index>(index.packets.size()));
  for (const VideoPacket& packet : index.packets) require(packet.frame < index.size());
  require(index.at(0.5) >= 0 && index.at(NAN) >= 0);
  const std::string written = encode_index(index, file);
  require(decode_index(written, file, again) && encode_index(again, file) == written);
  return 0;
}

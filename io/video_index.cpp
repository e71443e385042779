#include "io/video_index.h"

#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <numeric>
#include <system_error>

#include "io/bytes.h"
#include "io/codecs.h"
#include "io/file.h"
#include "kernels/error.h"

namespace framefold {
namespace {

namespace fs = std::filesystem;

// The first bytes of an entry; the last character is the layout's version.
constexpr std::string_view mark = "framefold index 2";
constexpr Bytes largest = Bytes{1} << 30;  // of an entry

// Calls visit(field) for all fields but the lists.
void for_each_field(auto& index, auto&& visit) {
  visit(index.codec);
  visit(index.height);
  visit(index.width);
  visit(index.pixel_aspect);
  visit(index.quarter_turns);
  visit(index.stream);
  visit(index.delay);
  visit(index.rate);
  visit(index.variable_rate);
  visit(index.duration);
  visit(index.promised);
}
void for_each_field(auto& packet, auto&& visit) requires requires { packet.disposable; }
{
  visit(packet.position);
  visit(packet.decoded);
  visit(packet.bytes);
  visit(packet.frame);
  visit(packet.key);
  visit(packet.disposable);
}

std::uint64_t hash_of(std::string_view bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

constexpr std::size_t frame_bytes = 16, packet_bytes = 26;  // as encode_index writes them
constexpr int most_delay = 16;                              // of H.264 and HEVC

// Whether every number stands for something that exists: decoders trust them.
bool consistent(const VideoIndex& index) {
  const auto amount = [](double number) { return std::isfinite(number) && number >= 0; };
  if (index.height < 1 || index.width < 1 || !amount(index.pixel_aspect) ||
      index.pixel_aspect == 0 || index.quarter_turns < 0 || index.quarter_turns > 3 ||
      index.stream < 0 || index.delay < 0 || index.delay > most_delay || !amount(index.rate) ||
      !amount(index.duration) || !amount(index.promised))
    return false;
  const auto frames = static_cast<Index>(index.frames.size());
  const auto packets = static_cast<Index>(index.packets.size());
  return std::ranges::all_of(index.frames,
                             [&](const VideoFrame& frame) {
                               return std::isfinite(frame.time) && frame.packet >= 0 &&
                                      frame.packet < packets;
                             }) &&
         std::ranges::all_of(index.packets, [&](const VideoPacket& packet) {
           return packet.frame >= -1 && packet.frame < frames;
         });
}

bool read_cached(const fs::path& place, const FileStamp& file, VideoIndex& index) {
  std::error_code error;
  if (!fs::is_regular_file(place, error)) return false;
  try {
    return decode_index(read_file(place, largest), file, index);
  } catch (const Error&) {
    return false;
  }
}

// Unlike AtomicFile this does not wait for the disk: torn by a power cut, an entry does not match
// its hash.
bool write_cached(const fs::path& place, const std::string& bytes) {
  static std::atomic<unsigned> count{0};
  std::error_code error;
  fs::create_directories(place.parent_path(), error);
  fs::path partial = place;
  partial += text('.', ::getpid(), '-', count++, ".partial");
  {
    std::ofstream file(partial, std::ios::binary);
    if (!(file << bytes).flush()) return false;
  }
  fs::rename(partial, place, error);
  if (error) fs::remove(partial, error);
  return fs::exists(place, error);
}

}  // namespace

Index VideoIndex::at(double seconds) const {
  const auto after = std::ranges::upper_bound(frames, seconds, {}, &VideoFrame::time);
  return std::max<Index>(0, after - frames.begin() - 1);
}

std::vector<Index> frames_at_rate(const VideoIndex& index, double rate, const CodecLimits& limits) {
  std::vector<Index> frames;
  if (rate <= 0) {
    frames.resize(index.frames.size());
    std::iota(frames.begin(), frames.end(), Index{0});
    return frames;
  }
  const double early = std::min(0.001, 0.5 / rate);
  const double count = std::max(1.0, std::ceil((index.duration - early) * rate));
  if (count > static_cast<double>(limits.frames))
    fail(ErrorCode::format, "at ", rate, " frames a second a video of ", index.duration,
         " seconds has more than ", limits.frames, " frames; choose a lower rate");
  for (double i = 0; i < count && index.size() > 0; ++i)
    frames.push_back(index.at(i / rate + early));
  return frames;
}

FileStamp stamp_of(const std::string& path) {
  struct stat status = {};
  if (::stat(path.c_str(), &status) != 0) fail_file("examine", path);
  return {static_cast<std::uint64_t>(status.st_size),
          std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec};
}

std::string encode_index(const VideoIndex& index, const FileStamp& file) {
  ByteWriter out;
  out.put(file.bytes);
  out.put(file.changed);
  for_each_field(index, [&](const auto& field) { out.put(field); });
  out.put(index.frames.size());
  for (const VideoFrame& frame : index.frames) {
    out.put(frame.time);
    out.put(frame.packet);
  }
  out.put(index.packets.size());
  for (const VideoPacket& packet : index.packets)
    for_each_field(packet, [&](const auto& field) { out.put(field); });
  ByteWriter head;
  head.bytes() = mark;
  head.put(hash_of(out.bytes()));
  return head.bytes() + out.bytes();
}

bool decode_index(const std::string& bytes, const FileStamp& file, VideoIndex& index) {
  std::uint64_t hash = 0;
  if (!bytes.starts_with(mark)) return false;
  std::string_view rest = std::string_view(bytes).substr(mark.size());
  ByteReader head(rest);
  head.get(hash);
  if (!head.good()) return false;
  rest.remove_prefix(sizeof hash);
  if (hash_of(rest) != hash) return false;
  ByteReader in(rest);
  FileStamp kept;
  in.get(kept.bytes);
  in.get(kept.changed);
  if (!in.good() || kept != file) return false;
  VideoIndex found;
  for_each_field(found, [&](auto& field) { in.get(field); });
  std::size_t count = 0;
  in.get(count);
  if (count > in.left() / frame_bytes) return false;
  found.frames.resize(count);
  for (VideoFrame& frame : found.frames) {
    in.get(frame.time);
    in.get(frame.packet);
  }
  in.get(count);
  if (count > in.left() / packet_bytes) return false;
  found.packets.resize(count);
  for (VideoPacket& packet : found.packets)
    for_each_field(packet, [&](auto& field) { in.get(field); });
  if (!in.good() || in.left() != 0 || !consistent(found)) return false;
  index = std::move(found);
  return true;
}

std::vector<fs::path> index_places(const std::string& path) {
  std::error_code error;
  const fs::path video = fs::absolute(path, error);
  const std::string name = text(std::hex, hash_of(video.string()), ".index");
  const fs::path cache = cache_directory();
  const char* named = std::getenv("FRAMEFOLD_CACHE_DIR");
  if (named != nullptr && *named != 0) return {cache / name};
  std::vector<fs::path> places = {video.parent_path() / ".framefold-index" /
                                  (video.filename().string() + ".index")};
  if (!cache.empty()) places.push_back(cache / name);
  return places;
}

VideoIndex video_index(const std::string& path, const CodecLimits& limits, const Codecs* scanner) {
  VideoIndex index;
  std::error_code error;
  if (!fs::is_regular_file(path, error))
    fail(ErrorCode::file, path, ": ", error ? error.message() : "not a regular file");
  const FileStamp file = stamp_of(path);
  const std::vector<fs::path> places = index_places(path);
  if (std::ranges::any_of(places, [&](const fs::path& p) { return read_cached(p, file, index); })) {
    keep_limits(path, index, limits);
    return index;
  }
  index = (scanner != nullptr ? *scanner : codecs()).scan(path, limits);
  const std::string bytes = encode_index(index, file);
  for (const fs::path& place : places)
    if (write_cached(place, bytes)) break;
  return index;
}

}  // namespace framefold

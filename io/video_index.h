// What is known of a video before any of it is decoded, and where in the file each frame lies.
//
//   frames    in display order: the time each is shown, the packet that holds it
//   packets   in file order, which is decoding order: where, and what depends on them
//
// Frame i of an index is the i-th that decoding from the file's start shows. Times and rate are
// the file's own, the first frame's time is 0. Packets that show nothing belong to no frame.
//
// video_index() scans a file (io/codecs.h) on its first call and keeps what it found beside it, in
// .framefold-index/NAME.index, or below XDG_CACHE_HOME or ~/.cache where that folder cannot be
// written; where FRAMEFOLD_CACHE_DIR names a folder, there alone. An entry counts for the size and
// time of change of the file it was made from; a damaged one is made anew. Any number of processes
// and threads may ask at once.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "kernels/tensor.h"

namespace framefold {

struct CodecLimits;
class Codecs;

struct VideoPacket {
  std::int64_t position = -1;  // in the file, -1: unknown
  std::int64_t decoded = 0;    // time of decoding in the stream's units
  std::int32_t bytes = 0;
  std::int32_t frame = -1;  // what it shows
  bool key = false;         // decoding may begin here for its frame and all shown after it
  bool disposable = false;  // no other packet refers to it
};

struct VideoFrame {
  double time = 0;  // seconds
  Index packet = 0;
};

struct VideoIndex {
  std::string codec;
  Index height = 0, width = 0;  // upright, in stored pixels
  double pixel_aspect = 1;      // width of a pixel over its height, upright
  int quarter_turns = 0;        // clockwise, from stored to upright
  int stream = 0;               // its number in the file
  int delay = 0;                // frames the decoder holds back to put them in order
  double rate = 0;              // frames a second, the mean; 0 for a single frame
  bool variable_rate = false;   // a frame lasts twice as long as another, or more
  double duration = 0;          // seconds, the last frame's included
  double promised = 0;          // seconds, by the file's header; 0: it does not say
  std::vector<VideoFrame> frames;
  std::vector<VideoPacket> packets;

  Index size() const { return static_cast<Index>(frames.size()); }
  Index at(double seconds) const;  // the frame on show, the nearest before the first or after all
};

// Scanned by `scanner`, by codecs() where that is null.
VideoIndex video_index(const std::string& path, const CodecLimits& limits,
                       const Codecs* scanner = nullptr);

// The frames on show at 0, 1 / rate, 2 / rate, ... seconds while the video lasts: of each time the
// nearest frame at or before it, so slower rates leave frames out, faster ones repeat them. A frame
// counts from 1 ms before its time on: containers round to as much. rate 0: every frame once.
std::vector<Index> frames_at_rate(const VideoIndex& index, double rate, const CodecLimits& limits);

// Parts of it. `file` is the video's size and time of change; find_cached returns false where
// nothing usable is kept.
struct FileStamp {
  std::uint64_t bytes = 0;
  std::int64_t changed = 0;  // nanoseconds
  bool operator==(const FileStamp&) const = default;
};
FileStamp stamp_of(const std::string& path);
std::string encode_index(const VideoIndex& index, const FileStamp& file);
bool decode_index(const std::string& bytes, const FileStamp& file, VideoIndex& index);
// The places an index may be kept in, the preferred one first.
std::vector<std::filesystem::path> index_places(const std::string& path);

}  // namespace framefold

// Decoded videos in memory-mapped shards: made once, read at the speed of memory.
//
//   DIR/index.json        what is packed: size of the frames, classes, each video's place and hash
//   DIR/shard-00000.u8    frames [n, h, w, C] of one video after the other, nothing between
//
// Each video's frames (every `stride`-th) are cropped about the middle and resized to h x w, in the
// order of the set. A shard is written whole or not at all, with the hashes of its videos beside it
// in shard-00000.json until index.json, written last, takes them up; so packing that was
// interrupted goes on after the shards that are whole, and a directory without index.json is not
// taken for one. Packing other videos, or to other frames, into the same directory is an error.
//
// Opened, sizes and the index's own hash (XXH3) are checked; each video's hash when it is first
// read: a damaged one is Error(format) with the shard's name. Where the clip is as large as the
// stored frames, reading is one copy out of the mapping.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "io/video_set.h"

namespace framefold {

struct Packing {
  std::string directory;
  Index height = 128, width = 128, channels = 3;
  Index stride = 1;
  double rate = 0;                 // that the set's videos were opened at, for the index; 0: none
  Bytes shard = Bytes{256} << 20;  // a shard is closed when it has passed this
  int threads = 1;
  bool skip_bad = false;             // leave out videos that cannot be read
  std::vector<std::string> classes;  // the labels' names, may be empty
};

struct Packed {
  Index videos = 0, frames = 0, shards = 0;
  Index kept = 0;  // shards found whole from before
  Bytes bytes = 0;
  std::vector<std::string> skipped;  // a message for each video left out
};

// `progress` is told how many videos are done, from the calling thread.
Packed pack(const VideoSet& set, const Packing& options,
            const std::function<void(Index)>& progress = {});

bool is_packed(const std::string& directory);  // whether there is an index
std::shared_ptr<const VideoSet> open_shards(const std::string& directory);

}  // namespace framefold

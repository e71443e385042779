// Clips cut from video files, and single pictures from image files.
//
//   clip   [T, H, W, C]  u8   frame t is frame `start + t * stride` of the video, which at a rate
//                             (VideoFiles) has the frames on show then
//
// A directory is searched with all below it, in the order of names; names that begin with a dot
// and linked directories are passed over. T = 1 for pictures. FFmpeg's libav decodes all but PNG
// pictures (io/codecs.h), which need no other library.
//
// A video's windows of (T - 1) * stride + 1 frames stand side by side. For training `start` is
// drawn between a window's first frame and the next window's, for held-out clips it is the
// window's first. A video shorter than a window gives one clip, which holds its last frame.
//
// Held out are whole files, drawn without a seed, where that makes two or more; otherwise the last
// part of each video that has room for a window on both sides. Pictures: always whole files.
//
// Files that fit the cache, in the order of names, are decoded once, when first read, and kept as
// resized frames; of the others each clip decodes what it needs (io/codecs.h).
//
// A video that cannot be opened is an Error when the dataset is made; with skip_bad it is left out
// and listed in Split::skipped. Other damage, and that of pictures, is an Error of the read that
// meets it.
#pragma once

#include <string>
#include <vector>

#include "io/dataset.h"
#include "io/video_files.h"

namespace framefold {

struct ClipFiles {
  enum class Kind : std::uint8_t { videos, pictures };
  Kind kind = Kind::videos;
  std::string path;               // a file or a directory
  Index frames = 16, stride = 1;  // of videos
  FrameFormat format{112, 112, 3};
  double held_out = 0.1;  // fraction
  bool skip_bad = false;
  Bytes cache = Bytes{1} << 30;
  std::shared_ptr<const VideoFiles> files;  // null: its own
};

// The files of a directory, or the one file that the path names.
std::vector<std::string> find_files(ClipFiles::Kind kind, const std::string& path);

Split clip_files(const ClipFiles& options);

}  // namespace framefold

// The videos of a list (io/lists.h), decoded by FFmpeg's libav when they are opened.
//
// A video of pictures takes its size from the first; pictures of other sizes are cut and resized
// like it, in proportion. A tar's member is read into memory first. Arrays are grey; where clips
// have three channels they are repeated.
//
// At a rate (VideoFiles) a video has the frames on show then, before anything is sampled. Frames
// without times, those of pictures and arrays, are an Error(config) there.
//
// Nothing is opened before it is asked for; damage is an Error of the video's open() or read().
#pragma once

#include <memory>

#include "io/file.h"
#include "io/lists.h"
#include "io/video_files.h"
#include "io/video_set.h"

namespace framefold {

// `files`: null for its own.
std::shared_ptr<const VideoSet> listed_videos(VideoList list,
                                              std::shared_ptr<const VideoFiles> files = nullptr);

// A tar's member in memory, under a name that codecs can open, also from a process of ours.
class MemberFile {
 public:
  MemberFile(const ListEntry& entry, const CodecLimits& limits);
  std::string path() const;

 private:
  Descriptor file_;
};

}  // namespace framefold
